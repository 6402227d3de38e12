"""The agreement of master and workers before a run: every worker has what the run takes, or the run doesn't start."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import gevent

from stt_load.errors import ConfigError
from stt_load.locust_plugin.arguments import WORKERS_LIMIT_S
from stt_load.locust_plugin.cluster.admission import Admission
from stt_load.locust_plugin.cluster.worker_cluster import present_workers
from stt_load.process.log import log

_TELL_AFTER_S = 10.0
_LOOK_PERIOD_S = 0.05


def reach_agreement(admission: Admission, runner: Any, is_over: Callable[[], bool]) -> None:
    """Asks the workers that are there whether they have what the admission's terms take, and waits until each has
    answered or is gone, or `is_over`.

    Raises ConfigError where a worker was refused: a run without it is to be started by somebody who knows that.
    """
    n_refused = len(admission.refused)
    for worker in _undecided(admission, runner):
        runner.send_message(*admission.terms_message(), worker)
    began_s = told_s = time.monotonic()
    while (waiting := _undecided(admission, runner)) and not is_over():
        now_s = time.monotonic()
        if now_s - began_s > WORKERS_LIMIT_S:
            late = f"it hasn't read its clips in {WORKERS_LIMIT_S} s"
            raise ConfigError([f"worker {worker}: {late}" for worker in waiting])
        if now_s - told_s > _TELL_AFTER_S:
            told_s = now_s
            log.warning("%d workers are still reading their clips", len(waiting))
        gevent.sleep(_LOOK_PERIOD_S)
    if refused := admission.refused[n_refused:]:
        raise ConfigError(
            f"nothing was started: {len(refused)} of the workers can't take part in this run; the lines above say why. "
            "Start it again without them, or when they fit"
        )


def _undecided(admission: Admission, runner: Any) -> list[str]:
    return [worker for worker in present_workers(runner) if not admission.has_agreed(worker)]
