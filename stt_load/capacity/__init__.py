"""How many callers a server holds, found by trials: the search, the sequential test, the interval of the answer."""
