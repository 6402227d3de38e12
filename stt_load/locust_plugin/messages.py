"""What master and workers call the things they tell each other, and what both of them make."""

from __future__ import annotations

import os
from typing import Any

from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.kinds import KINDS
from stt_load.records import UtteranceRecord
from stt_load.run.caller_pool import CallerPool
from stt_load.workloads.workload import new_workload

HELLO = "stt_hello"  # worker → master: where are we?
SIGN = "stt_sign"  # master → worker: a phase begins
SIGN_OPTION = "stt_sign"  # the same, as a hidden option that rides on every spawn message
DRAIN = "stt_drain"  # master → worker: no more utterances
DRAINED = "stt_drained"  # worker → master: none is left; the last rows
REPORT_KEY = "stt"  # our part of Locust's own worker report
REQUEST_TYPE = "STT"


def make_station(environment: Any, config: RunConfig, clips: ClipSet) -> CallerPool:
    """The callers of this process."""
    runner = environment.runner

    def fire(record: UtteranceRecord) -> None:
        fire_request(environment, record)

    workload = new_workload(config, clips.clips, os.environ.get(config.kind.key_variable))
    return CallerPool(config, clips, workload, runner.client_id, runner.worker_index, fire)


def fire_request(environment: Any, record: UtteranceRecord) -> None:
    """The one request event of an utterance: Locust's own tables show its headline and failures."""
    latency_s = record.headline_s
    environment.events.request.fire(
        request_type=REQUEST_TYPE,
        name=KINDS[record.kind].request_name,
        response_time=None if latency_s is None else max(0.0, 1_000 * latency_s),
        response_length=0,
        exception=None if record.is_ok else UtteranceFailed(str(record.outcome)),
        context={},
    )


class UtteranceFailed(Exception):
    """In Locust's tables: an utterance that was not ok. Its text is the outcome alone, or the table would explode."""
