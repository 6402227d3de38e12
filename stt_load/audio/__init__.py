"""Clips as values: text and PCM, where speech starts and ends, frames, manifests. Imports `errors` only."""
