"""Servers that only tests start: they answer by a script, break connections, and log what really happened."""
