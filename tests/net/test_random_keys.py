"""Keys for masks and upgrades: no two alike, beyond what is fetched at once."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

from stt_load.net.random_keys import random_keys


@pytest.mark.parametrize("n_bytes", [4, 16])
def test_keys_have_their_length_and_hardly_ever_come_twice(n_bytes: int) -> None:
    keys = list(itertools.islice(random_keys(n_bytes), 10_000))
    assert {len(key) for key in keys} == {n_bytes}
    assert len(set(keys)) > 9_950


DEADLINE_S = 30.0


def test_threads_that_ask_at_the_same_time_all_get_keys() -> None:
    """The system is asked without the interpreter's lock: a thread may come while another one waits for it."""
    keys = random_keys(4_096)  # four at once, so that it is asked all the time
    with ThreadPoolExecutor(4) as pool:
        given = [pool.submit(lambda: [next(keys) for _ in range(2_000)]) for _ in range(4)]
        drawn = [key for each in given for key in each.result(DEADLINE_S)]
    assert len(set(drawn)) == 8_000
