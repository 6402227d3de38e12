"""What whole runs need: clips, and a recogniser that hears them right."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from runs import StartSink
from servers.script import Script, audio_key
from servers.start import start_scripted_server

from stt_load.clips.folder import load_folder, write_folder
from stt_load.clips.library import default_clips
from stt_load.server.process import ServerProcess

SHORT_S = 1.2


@pytest.fixture(scope="session")
def short_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the beginnings of the shipped clips: real speech, and runs that don't take minutes."""
    clips = [
        replace(
            clip,
            samples=clip.samples[: int(SHORT_S * 16_000)],
            speech_end_s=SHORT_S,
            words=tuple(word for word in clip.words if word.end_s <= SHORT_S),
        )
        for clip in default_clips(16_000).clips
    ]
    folder = tmp_path_factory.mktemp("clips") / "short"
    write_folder(folder, clips, {"engine": "test"})
    return folder


@pytest.fixture(scope="session")
def references(short_clips: Path) -> dict[str, str]:
    """Reference text by what the scripted recogniser hears of it."""
    clips = load_folder(short_clips, 16_000).clips
    return {audio_key(clip.samples.tobytes()) or "": clip.reference for clip in clips}


@pytest.fixture
def start_sink(
    short_clips: Path, references: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[StartSink]:
    """Starts scripted recognisers that answer with what was spoken; `truth.jsonl` is the log of the last."""
    monkeypatch.setenv("STT_LOAD_CLIPS", str(short_clips))
    with ExitStack() as stack:

        def start(**script: object) -> ServerProcess:
            answer = {"text": "{reference}", "references": references, "delay_s": 0.4, "delay_from": "speech_end"}
            script = {**answer, **script}
            return stack.enter_context(start_scripted_server(Script(**script), tmp_path / "truth.jsonl"))  # type: ignore[arg-type]

        yield start
