"""Shell. The servers that a command of ours starts: the embedded recogniser and the embedded TTS server (`stt-load
serve`, `stt-load demo`), and the sink of `stt-load calibrate` and the bench.

Imports `clips`, `dialects`, `audio`, `metrics` and what lies below them.
"""
