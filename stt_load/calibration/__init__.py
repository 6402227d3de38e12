"""Shell. Measures how many callers this machine keeps on time and how exact its clock is, and what limits it."""
