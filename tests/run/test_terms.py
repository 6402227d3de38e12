"""What master and workers must have in common: program, clips, credentials, packages."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest

from stt_load import __version__
from stt_load.audio.clip import Clip
from stt_load.clips.folder import load_folder, write_folder
from stt_load.config import parse_options
from stt_load.run.terms import (
    Equipment,
    Program,
    describe_equipment,
    equipment_differences,
    program_differences,
    shared_options,
    this_program,
)

CONFIG = parse_options({"stt_url": "ws://127.0.0.1:9/ws"})
CLIPS = tuple(
    Clip(name, f"words of {name}", np.arange(1_600, dtype=np.int16) + number, 16_000, 0.02, 0.08)
    for number, name in enumerate(("a", "b", "c"))
)
KEYS = {"STT_LOAD_API_KEY": "sesame", "STT_LOAD_HEADERS": "X-Tenant=acme", "HOME": "/root"}


def described(clips: tuple[Clip, ...] = CLIPS, environ: dict[str, str] | None = None) -> Equipment:
    """Describes it as it is after it has travelled."""
    plain = msgspec.to_builtins(describe_equipment(CONFIG, clips, KEYS if environ is None else environ))
    return msgspec.convert(plain, Equipment)


def differences(theirs: Equipment) -> list[str]:
    return equipment_differences(described(), theirs, "/data/clips")


def test_two_that_have_the_same_differ_in_nothing() -> None:
    assert differences(described(tuple(reversed(CLIPS)))) == []
    assert program_differences(this_program(), this_program()) == []


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        ({"reference": "other words"}, True),
        ({"samples": CLIPS[0].samples + 1}, True),
        ({"samples": CLIPS[0].samples[:-1]}, True),
        ({"origin": "the digest of another file 0"}, True),
        ({"speech_end_s": 0.089}, True),
        ({"speech_start_s": 0.002}, True),
        ({"speech_end_s": 0.0801}, False),  # computed on another processor
    ],
)
def test_a_clip_is_another_one_by_its_audio_its_reference_or_its_bounds(
    change: dict[str, object], is_told: bool
) -> None:
    other = replace(CLIPS[0], **change)  # type: ignore[arg-type]
    lines = differences(described((other, *CLIPS[1:])))
    assert len(lines) == is_told
    assert not lines or "of the master's 3 clips (/data/clips): 1 with other audio, reference or bounds (a)" in lines[0]


def test_clips_that_are_missing_or_too_many_are_counted_and_named() -> None:
    (line,) = differences(described((*CLIPS[1:], replace(CLIPS[0], clip_id="z"))))
    assert "1 missing (a), 1 too many (z): give each machine the same clips" in line


def test_the_same_files_are_the_same_clips_and_another_part_of_a_file_is_not(tmp_path: Path) -> None:
    loud = tuple(replace(clip, samples=clip.samples * 10) for clip in CLIPS)
    write_folder(tmp_path / "clips", loud, {"engine": "test"})
    ours, theirs = (load_folder(tmp_path / "clips", rate_hz).clips for rate_hz in (16_000, 16_000))
    assert described(ours) == described(theirs)
    assert len({clip.origin for clip in ours}) == 3
    assert all(clip.origin.endswith(" 0") for clip in ours)


def test_credentials_are_compared_without_being_told() -> None:
    assert not any("sesame" in value or "acme" in value for value in described().credentials.values())
    assert described().credentials.keys() == {"STT_LOAD_API_KEY", "STT_LOAD_HEADERS"}
    assert differences(described(environ=KEYS | {"STT_LOAD_API_KEY": "other"})) == [
        "its STT_LOAD_API_KEY is another: set it as on the master"
    ]
    assert differences(described(environ={})) == [
        "its STT_LOAD_API_KEY is not set: set it as on the master",
        "its STT_LOAD_HEADERS is not set: set it as on the master",
    ]
    nothing = described(environ={})
    assert equipment_differences(nothing, described(), "") == [], "a key may be the workers' own matter"


def test_the_package_of_a_dialect_is_compared() -> None:
    ours, theirs = described(), described()
    ours = msgspec.structs.replace(ours, packages={"acme-stt": "1.0"})
    assert equipment_differences(ours, theirs, "") == ["it has acme-stt not at all, the master 1.0: install the same"]
    theirs = msgspec.structs.replace(theirs, packages={"acme-stt": "1.1"})
    assert equipment_differences(ours, theirs, "") == ["it has acme-stt 1.1, the master 1.0: install the same"]


def test_another_program_is_told_with_both_versions() -> None:
    assert this_program().version == __version__
    (line,) = program_differences(this_program(), Program("0.0.9", "c0de" * 16))
    assert "it runs stt-load 0.0.9 (code c0dec0de)" in line
    assert program_differences(this_program(), Program(__version__, "c0de" * 16)), "the same version, other code"


def test_secrets_are_no_options_that_a_worker_takes() -> None:
    raw = {"hold": "3s", "header": ["X=y"], "master_bind_port": 5557, "slo": ["wer<8%"]}
    assert shared_options(raw) == {"hold": "3s", "slo": ["wer<8%"]}
