"""One utterance over one connection: when each frame is due, what each message means for the clock."""
