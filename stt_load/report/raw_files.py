"""The raw files of a run folder, by name. `docs/files.md` says what is in them."""

from __future__ import annotations

from pathlib import Path

RUN = "run.json"
STAGES = "stages.jsonl"
UTTERANCES = "utterances.jsonl"
GPU_SAMPLES = "gpu.jsonl"
HOST_SAMPLES = "host.jsonl"

SERVER_LOOKS = "server.jsonl"
"""The server's own metrics; absent if they were not asked for."""

SAMPLE_FILES = (GPU_SAMPLES, HOST_SAMPLES)
"""The samples of the sidecars; absent if no sidecar was used."""

RAW_FILES = (RUN, STAGES, UTTERANCES, *SAMPLE_FILES, SERVER_LOOKS)


def is_raw_file(path: Path) -> bool:
    """Whether a raw file of a run is there: nothing can rebuild it."""
    return path.name in RAW_FILES and path.is_file()
