"""How each server behaves: one file each. `registry.py` lists them."""
