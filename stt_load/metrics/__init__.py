"""Numbers in, numbers out: percentiles, error counts, stages, SLOs, validity."""
