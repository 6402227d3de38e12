"""Two speech servers of our own: the embedded recogniser (`stt-load serve`) and the scripted one (tests, calibration).

Both speak the Parakeet shape (`stt_load/dialects/parakeet.py`) through the same front-end.
"""
