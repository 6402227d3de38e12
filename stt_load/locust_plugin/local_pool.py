"""The callers of this process, joined to Locust: every utterance that ends is a request in its tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import read_credentials
from stt_load.errors import ConfigError
from stt_load.kinds import KINDS
from stt_load.net.own_faults import own_cause
from stt_load.records import UtteranceRecord
from stt_load.run.caller_pool import CallerPool
from stt_load.run.worker_report import WorkerReport
from stt_load.workloads.workload import new_workload

REQUEST_TYPE = "STT"
_NAMES_AT_MOST = 300  # a ladder of 100 stages; the web UI shows 500 rows


def make_pool(
    environment: Any, config: RunConfig, clips: ClipSet, report: WorkerReport, has_ladder: bool
) -> CallerPool:
    """Makes the callers that this process plays in one run. `has_ladder` False: somebody sets their number by hand.
    Raises ConfigError, also where this process may open nothing more."""
    credentials = read_credentials(os.environ, config.kind.key_variable, config.stt_url)
    try:
        workload = new_workload(config, (*clips.clips, *clips.silences.values()), credentials)
    except OSError as error:
        cause = own_cause(error)
        raise ConfigError(f"no caller can be played: {error.strerror}{f': {cause}' if cause else ''}") from error
    runner = environment.runner
    on_utterance = partial(fire_request, environment, RequestNames([rate.text for rate in config.arrivals or ()]))
    return CallerPool(
        config,
        clips,
        workload,
        report,
        runner.client_id,
        runner.worker_index,
        on_utterance,
        finishes_leaving=not has_ladder or config.spike is not None,
        credentials=credentials,
    )


class RequestNames:
    """The names of requests in Locust's tables: `EOS @ 10` for what counts, `EOS @ 10 ramp` for what was begun in
    another phase of the stage; `EOS @ 12/min` where calls come at a rate. `rates`: of each stage.

    Locust keeps figures of each name as long as it lives. Somebody may change the number of callers all day, so from a
    certain number of names on a new one is `EOS @ other`.
    """

    def __init__(self, rates: Sequence[str] = (), at_most: int = _NAMES_AT_MOST) -> None:
        self._rates = rates
        self._given: set[str] = set()
        self._at_most = at_most

    def name_of(self, record: UtteranceRecord) -> str:
        request = KINDS[record.kind].request_name
        stage = self._rates[record.stage] if self._rates else record.users
        name = f"{request} @ {stage}{'' if record.is_counted else f' {record.phase}'}"
        if name not in self._given and len(self._given) >= self._at_most:
            return f"{request} @ other"
        self._given.add(name)
        return name


def fire_request(environment: Any, names: RequestNames, record: UtteranceRecord) -> None:
    """Fires the one request event of an utterance: Locust's own tables show its headline figure and failures. Its
    response time is milliseconds, never negative, and None where the utterance has none."""
    latency_s = record.headline_s
    environment.events.request.fire(
        request_type=REQUEST_TYPE,
        name=names.name_of(record),
        response_time=None if latency_s is None else max(0.0, 1_000 * latency_s),
        response_length=0,
        exception=None if record.is_ok else UtteranceFailed(str(record.outcome)),
        context={},
    )


class UtteranceFailed(Exception):
    """What Locust's tables show of an utterance that was not ok. Its text is the outcome alone: with more in it,
    every failure would have a row of its own."""
