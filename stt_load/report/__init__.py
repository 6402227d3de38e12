"""Everything after the run: raw files in, one `RunReport`, and what people and machines read of it."""
