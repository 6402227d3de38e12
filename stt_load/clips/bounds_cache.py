"""Remembers the bounds of speech that were found in a clip, because a model takes 35 to 50 ms for a second of audio.

    <cache>/bounds/<digest>.json   of the samples, their rate and the version of the algorithm

So every clip is listened to once on each machine, whatever its file is called. Several processes may find the same
bounds at the same time: they write the same file. Each is sealed, because the headline's clock starts at what it says:
one that is damaged is made anew.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from pathlib import Path

from stt_load.audio.bounds_doubts import Doubt
from stt_load.audio.clip import PcmArray
from stt_load.audio.found_speech import ALGORITHM_VERSION, FoundSpeech, find_speech
from stt_load.audio.speech_bounds import SpeechBounds
from stt_load.clips.cache_folder import cache_folder
from stt_load.errors import ConfigError
from stt_load.process.atomic_file import write_atomically
from stt_load.sealed_lines import is_whole_file, sealed_file


def remembered_speech(samples: PcmArray, sample_rate_hz: int) -> FoundSpeech:
    """What `find_speech` finds in the samples, from the cache if it is there. Raises ClipError as that does.

    A cache that can't be written costs time and nothing else.
    """
    file = _file(samples, sample_rate_hz)
    kept = _read(file)
    if kept is not None:
        return kept
    found = find_speech(samples, sample_rate_hz)
    with suppress(ConfigError):
        write_atomically(file, _to_text(found), make_folder=True)
    return found


def _file(samples: PcmArray, sample_rate_hz: int) -> Path:
    digest = hashlib.sha256(f"{ALGORITHM_VERSION} {sample_rate_hz} ".encode())
    digest.update(samples.astype("<i2", copy=False).tobytes())
    return cache_folder() / "bounds" / f"{digest.hexdigest()}.json"


def _to_text(found: FoundSpeech) -> bytes:
    row = {"start_s": found.bounds.start_s, "end_s": found.bounds.end_s, "latest_end_s": found.latest_end_s}
    return sealed_file(json.dumps(row | {"doubts": found.doubts}, indent=2).encode())


def _read(file: Path) -> FoundSpeech | None:
    """None for a file that is not there or is damaged."""
    try:
        text = file.read_bytes()
        if not is_whole_file(text):
            return None
        row = json.loads(text)
        bounds = SpeechBounds(float(row["start_s"]), float(row["end_s"]))
        return FoundSpeech(bounds, float(row["latest_end_s"]), tuple(Doubt(name) for name in row["doubts"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
