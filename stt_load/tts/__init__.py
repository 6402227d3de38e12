"""Text to speech under test: one request, what of its answer is audio, and when it came."""
