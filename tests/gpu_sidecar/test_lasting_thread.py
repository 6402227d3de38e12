"""A thread that goes on after an exception."""

from __future__ import annotations

import threading
import time
from itertools import pairwise

from stand_in import DEADLINE_S, eventually

from gpu_sidecar.failures import FailureLog
from gpu_sidecar.lasting_thread import LastingThread


def test_work_that_fails_is_begun_again_by_the_same_thread_until_it_returns() -> None:
    threads: list[int] = []
    told: list[str] = []
    failures = FailureLog()

    def work() -> None:
        threads.append(threading.get_ident())
        if len(threads) < 4:
            raise ValueError(len(threads))

    thread = LastingThread("worker", work, failures, threading.Event(), told.append, 0.01, 0.01)
    thread.start()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert len(threads) == 4 and len(set(threads)) == 1
    assert [(failure.where, failure.times) for failure in failures.all()] == [("worker", 3)]
    assert [line.partition(" (")[0] for line in told] == [f"worker failed: ValueError: {n}" for n in (1, 2, 3)]


def test_each_pause_is_twice_the_last_one_up_to_a_bound() -> None:
    begun: list[float] = []
    stopping = threading.Event()

    def work() -> None:
        begun.append(time.monotonic())
        raise ValueError

    thread = LastingThread("worker", work, FailureLog(), stopping, first_pause_s=0.05, last_pause_s=0.2)
    thread.start()
    eventually(lambda: len(begun) >= 5)
    stopping.set()
    thread.join(DEADLINE_S)
    pauses_s = [later - earlier for earlier, later in pairwise(begun[:5])]
    assert all(pause_s >= least_s for pause_s, least_s in zip(pauses_s, [0.05, 0.1, 0.2, 0.2], strict=True))


def test_a_stop_ends_the_longest_pause() -> None:
    stopping = threading.Event()
    failures = FailureLog()

    def work() -> None:
        raise ValueError

    thread = LastingThread("worker", work, failures, stopping, first_pause_s=1e6, last_pause_s=1e6)
    thread.start()
    eventually(failures.all)
    stopping.set()
    thread.join(DEADLINE_S)
    assert not thread.is_alive()


def test_not_even_a_failure_to_tell_of_a_failure_ends_it() -> None:
    n_begun = 0
    stopping = threading.Event()

    def work() -> None:
        nonlocal n_begun
        n_begun += 1
        raise MemoryError

    def fail(why: str) -> None:
        raise MemoryError

    thread = LastingThread("worker", work, FailureLog(), stopping, fail, 0.01, 0.01)
    thread.start()
    eventually(lambda: n_begun >= 3)
    stopping.set()
    thread.join(DEADLINE_S)


def test_a_thread_that_was_never_started_can_be_joined() -> None:
    LastingThread("worker", lambda: None, FailureLog(), threading.Event()).join(DEADLINE_S)
