"""Two or more results beside each other: runs of streams and uploads, benchmarks of TTS servers. A shell."""
