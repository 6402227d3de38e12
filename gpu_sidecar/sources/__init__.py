"""Where samples come from. `base.py` says what a source is, `known_sources.py` lists them."""
