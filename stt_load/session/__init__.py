"""One utterance as a state machine, and the frames that carry it. Core: imports no socket, thread, clock or Locust."""
