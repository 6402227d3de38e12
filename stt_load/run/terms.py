"""What master and workers must have in common, so that their rows are of one run: program, clips, credentials.

Options are no part of it: a worker takes them from the master. Bounds of speech may differ by what two machines compute
differently; everything else is equal or it isn't.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

import stt_load
from stt_load.audio.clip import Clip
from stt_load.clips.wording import first_few
from stt_load.config import RunConfig
from stt_load.credentials import HEADERS_VARIABLE, TTS_KEY_VARIABLE
from stt_load.dialects.registry import packages_of
from stt_load.options import OPTIONS
from stt_load.versions import installed_version

_BOUNDS_TOLERANCE_S = 0.005


class Program(msgspec.Struct, frozen=True):
    """The program that a process runs. `code`: a digest of all its files, since a version alone says little about a
    checkout."""

    version: str
    code: str

    def __str__(self) -> str:
        return f"stt-load {self.version} (code {self.code[:8]})"


class ClipMark(msgspec.Struct, frozen=True):
    """What a clip is known by: a digest of its audio and its reference, and where its speech is, in seconds."""

    content: str
    start_s: float
    end_s: float

    def fits(self, other: ClipMark) -> bool:
        return (
            self.content == other.content
            and abs(self.start_s - other.start_s) <= _BOUNDS_TOLERANCE_S
            and abs(self.end_s - other.end_s) <= _BOUNDS_TOLERANCE_S
        )


class Equipment(msgspec.Struct, frozen=True):
    """What one process has for a run. `clips`: by clip id. `credentials`: digests, by the environment variable that has
    the credential. `packages`: versions of the other packages that bring the dialect."""

    clips: dict[str, ClipMark]
    credentials: dict[str, str]
    packages: dict[str, str]


@functools.cache
def this_program() -> Program:
    """The program of this process."""
    folder = Path(stt_load.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if path.parent.name == "_locustfiles":  # only an installed wheel has them in here
            continue
        digest.update(f"{path.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return Program(stt_load.__version__, digest.hexdigest())


def describe_equipment(config: RunConfig, clips: Iterable[Clip], environ: Mapping[str, str]) -> Equipment:
    """What this process has for a run with this configuration."""
    variables = [config.kind.key_variable, HEADERS_VARIABLE, *([TTS_KEY_VARIABLE] if config.tts_url else [])]
    return Equipment(
        clips={clip.clip_id: _mark_of(clip) for clip in clips},
        credentials={name: _digest(value) for name in variables if (value := environ.get(name, "").strip())},
        packages={package: installed_version(package) or "" for package in packages_of(config.dialect)},
    )


def shared_options(raw: Mapping[str, object]) -> dict[str, Any]:
    """The options that a worker takes from its master, as they were typed, by key."""
    return {option.key: raw[option.key] for option in OPTIONS if not option.is_secret and option.key in raw}


def program_differences(ours: Program, theirs: Program) -> list[str]:
    """One line where a worker runs another program than its master; none where both run the same."""
    if ours == theirs:
        return []
    return [f"it runs {theirs}, the master runs {ours}: install the same on both"]


def equipment_differences(ours: Equipment, theirs: Equipment, source: str) -> list[str]:
    """One line for each thing that a worker lacks, or has otherwise than its master. What the master lacks may be the
    worker's own matter. `source`: where the master's clips are from."""
    return [
        *_clip_differences(ours.clips, theirs.clips, source),
        *(
            f"its {name} is {'another' if name in theirs.credentials else 'not set'}: set it as on the master"
            for name, digest in ours.credentials.items()
            if theirs.credentials.get(name) != digest
        ),
        *(
            f"it has {package} {theirs.packages.get(package) or 'not at all'}, the master {version}: install the same"
            for package, version in ours.packages.items()
            if theirs.packages.get(package) != version
        ),
    ]


def _clip_differences(ours: Mapping[str, ClipMark], theirs: Mapping[str, ClipMark], source: str) -> list[str]:
    both = ours.keys() & theirs.keys()
    unlike = sorted(clip_id for clip_id in both if not ours[clip_id].fits(theirs[clip_id]))
    found = {
        "missing": sorted(ours.keys() - theirs.keys()),
        "too many": sorted(theirs.keys() - ours.keys()),
        "with other audio, reference or bounds": unlike,
    }
    parts = [f"{len(ids)} {what} ({first_few(ids)})" for what, ids in found.items() if ids]
    if not parts:
        return []
    return [f"of the master's {len(ours)} clips ({source}): {', '.join(parts)}: give each machine the same clips"]


def _mark_of(clip: Clip) -> ClipMark:
    content = f"{clip.origin or clip.sha256}\n{len(clip.samples)}\n{clip.reference}"
    return ClipMark(_digest(content), round(clip.speech_start_s, 4), round(clip.speech_end_s, 4))


def _digest(text: str) -> str:
    """Half a SHA-256: more than enough to tell one from another."""
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:32]
