"""The sources of samples. `base.py` defines what a source is, `known_sources.py` lists those of GPUs."""
