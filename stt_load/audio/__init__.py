"""Clips: text and PCM, from a folder, a TTS engine or a cache, cut into frames with due times."""
