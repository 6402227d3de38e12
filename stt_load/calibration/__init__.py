"""How many callers a machine plays honestly, how far off its clock is, and what stands in the way of more."""
