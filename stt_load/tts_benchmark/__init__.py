"""Shell. The sequential benchmark of `stt-load tts`: requests, statistics, tables. Imports `tts` and `sidecar`."""
