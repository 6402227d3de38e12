"""The load: stages as a state machine, callers as Locust users, rows from the workers to the master."""
