"""Where samples come from. `base.py` says what a source is, `registry.py` lists them."""
