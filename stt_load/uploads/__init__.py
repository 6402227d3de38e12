"""Whole files over HTTP: what upload APIs want, what they answer, and what one upload came to."""
