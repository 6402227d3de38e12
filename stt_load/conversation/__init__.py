"""A turn of a conversation: the caller speaks, the server answers in speech, and may be spoken over."""
