"""Shell. What a caller does: one file and one row for each kind of load. Imports `pacing`, `net` and the core."""
