"""What master and workers call the things they tell each other, and what both of them make."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from stt_load.audio.clip import Clip
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import API_KEY_VARIABLE, TTS_KEY_VARIABLE
from stt_load.records import Kind, UtteranceRecord
from stt_load.run.caller_pool import CallerPool
from stt_load.workloads.stream import StreamWorkload
from stt_load.workloads.tts import TtsWorkload
from stt_load.workloads.upload import UploadWorkload
from stt_load.workloads.workload import Workload

HELLO = "stt_hello"  # worker → master: where are we?
SIGN = "stt_sign"  # master → worker: a phase begins
SIGN_OPTION = "stt_sign"  # the same, as a hidden option that rides on every spawn message
DRAIN = "stt_drain"  # master → worker: no more utterances
DRAINED = "stt_drained"  # worker → master: none is left; the last rows
REPORT_KEY = "stt"  # our part of Locust's own worker report
REQUEST_TYPE = "STT"
REQUEST_NAMES: dict[str, str] = {Kind.STREAM: "EOS", Kind.UPLOAD: "UPLOAD", Kind.TTS: "TTS"}

MANNERS: dict[Kind, Callable[[RunConfig, Sequence[Clip], str | None], Workload]] = {
    Kind.STREAM: StreamWorkload,
    Kind.UPLOAD: UploadWorkload,
    Kind.TTS: TtsWorkload,
}
"""What callers do with a clip, by kind of load."""

KEY_VARIABLES = {Kind.STREAM: API_KEY_VARIABLE, Kind.UPLOAD: API_KEY_VARIABLE, Kind.TTS: TTS_KEY_VARIABLE}


def make_station(environment: Any, config: RunConfig, clips: ClipSet) -> CallerPool:
    """The callers of this process."""
    runner = environment.runner

    def fire(record: UtteranceRecord) -> None:
        fire_request(environment, record)

    manner = MANNERS[config.kind](config, clips.clips, os.environ.get(KEY_VARIABLES[config.kind]))
    return CallerPool(config, clips, manner, runner.client_id, runner.worker_index, fire)


def fire_request(environment: Any, record: UtteranceRecord) -> None:
    """The one request event of an utterance: Locust's own tables show its headline and failures."""
    latency_s = record.headline_s
    environment.events.request.fire(
        request_type=REQUEST_TYPE,
        name=REQUEST_NAMES[record.kind],
        response_time=None if latency_s is None else max(0.0, 1_000 * latency_s),
        response_length=0,
        exception=None if record.is_ok else UtteranceFailed(str(record.outcome)),
        context={},
    )


class UtteranceFailed(Exception):
    """In Locust's tables: an utterance that was not ok. Its text is the outcome alone, or the table would explode."""
