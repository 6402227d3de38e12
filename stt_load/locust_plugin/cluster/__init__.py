"""A master and its workers: who is heard at the master's port, what they agree on, and how a run is led on them."""
