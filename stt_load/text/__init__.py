"""Texts of other people: read, made writable, and shown without harm. Core; imports nothing of ours."""
