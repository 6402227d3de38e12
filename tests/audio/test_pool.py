from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stt_load.audio.clip import Clip
from stt_load.audio.pool import ClipPool, shortage
from stt_load.errors import ConfigError


def clips(n: int) -> list[Clip]:
    return [Clip(f"clip-{k}", "words", np.zeros(1, np.int16), 16000, 0.0, 0.0) for k in range(n)]


def take_ids(pool: ClipPool, n: int) -> list[str]:
    return [pool.take()[0].clip_id for _ in range(n)]


@given(n=st.integers(48, 80), workers=st.integers(1, 8), seed=st.integers())
def test_40_callers_spread_over_workers_speak_40_different_clips(n: int, workers: int, seed: int) -> None:
    taken = []
    for worker in range(workers):
        pool = ClipPool(clips(n), seed, worker, workers)
        callers = 40 // workers + (worker < 40 % workers)
        taken += [pool.take() for _ in range(callers)]
    assert len({clip.clip_id for clip, _ in taken}) == 40
    assert not any(was_reused for _, was_reused in taken)


@given(n=st.integers(1, 30), workers=st.integers(1, 8), seed=st.integers())
def test_workers_own_disjoint_clips_that_are_all_clips_together(n: int, workers: int, seed: int) -> None:
    owned = [
        clip_id
        for worker in range(min(workers, n))
        for clip_id in take_ids(ClipPool(clips(n), seed, worker, workers), len(range(worker, n, workers)))
    ]
    assert sorted(owned) == sorted(clip.clip_id for clip in clips(n))


@given(
    n=st.integers(1, 12),
    seed=st.integers(),
    steps=st.lists(st.one_of(st.just("take"), st.just("restart"), st.integers(0, 30)), max_size=80),
)
def test_a_clip_is_shared_only_where_none_is_free_and_is_free_again_when_all_gave_it_back(
    n: int, seed: int, steps: list[str | int]
) -> None:
    """Compares the pool with a simple model, a bag of clips in flight. A number gives back that caller's clip."""
    pool = ClipPool(clips(n), seed, 0, 1)
    in_flight: list[Clip] = []
    for step in steps:
        if step == "restart":
            pool.restart()
        elif step == "take":
            spoken = {clip.clip_id for clip in in_flight}
            clip, was_reused = pool.take()
            assert was_reused == (clip.clip_id in spoken) == (len(spoken) == n)
            in_flight.append(clip)
        elif in_flight:
            pool.give_back(in_flight.pop(int(step) % len(in_flight)))


def test_one_caller_goes_round_the_whole_ring_in_the_same_order_again() -> None:
    pool = ClipPool(clips(10), seed=3, worker=0, workers=1)
    order = []
    for _ in range(20):
        clip, _ = pool.take()
        order.append(clip.clip_id)
        pool.give_back(clip)
    assert len(set(order[:10])) == 10
    assert order[10:] == order[:10]


def test_every_restart_begins_with_the_same_clips() -> None:
    pool = ClipPool(clips(10), seed=3, worker=0, workers=2)
    first = pool.take()[0]
    second = pool.take()[0]
    pool.give_back(second)
    pool.give_back(first)
    pool.restart()
    assert take_ids(pool, 2) == [first.clip_id, second.clip_id]


def test_callers_who_arrive_take_clips_from_the_end_and_leave_the_first_to_those_who_count() -> None:
    pool = ClipPool(clips(10), seed=3, worker=0, workers=1)
    order = take_ids(ClipPool(clips(10), seed=3, worker=0, workers=1), 10)
    pool.restart(from_the_end=True)
    assert take_ids(pool, 3) == order[:-4:-1]
    pool.restart()
    assert take_ids(pool, 3) == order[:3]


def test_a_clip_still_in_flight_over_a_restart_is_given_out_when_it_is_back() -> None:
    pool = ClipPool(clips(3), seed=3, worker=0, workers=1)
    late = pool.take()[0]
    pool.restart()
    assert late.clip_id not in take_ids(pool, 2)
    pool.give_back(late)
    assert pool.take() == (late, False)


def test_callers_in_excess_share_the_clips_evenly() -> None:
    pool = ClipPool(clips(5), seed=3, worker=0, workers=1)
    taken = [pool.take() for _ in range(15)]
    assert [was_reused for _, was_reused in taken] == [False] * 5 + [True] * 10
    assert set(Counter(clip.clip_id for clip, _ in taken).values()) == {3}


def test_the_seed_decides_the_order() -> None:
    orders = {tuple(take_ids(ClipPool(clips(20), seed, 0, 1), 20)) for seed in (1, 1, 2)}
    assert len(orders) == 2


def test_a_worker_without_a_clip_of_its_own_shares_and_says_so() -> None:
    clip, was_reused = ClipPool(clips(2), seed=1, worker=3, workers=4).take()
    assert clip.clip_id in {"clip-0", "clip-1"}
    assert was_reused


def test_no_clips_and_impossible_ordinals_are_refused() -> None:
    with pytest.raises(ConfigError, match="no clips"):
        ClipPool([], seed=1, worker=0, workers=1)
    with pytest.raises(ValueError, match="worker 2 of 2"):
        ClipPool(clips(2), seed=1, worker=2, workers=2)


@pytest.mark.parametrize(
    ("n_clips", "users", "workers", "is_short"),
    [(40, 40, 1, False), (39, 40, 1, True), (48, 40, 8, False), (40, 40, 7, True), (1, 1, 1, False), (5, 8, 8, True)],
)
def test_shortage_is_told_exactly_where_a_worker_may_have_fewer_clips_than_callers(
    n_clips: int, users: int, workers: int, is_short: bool
) -> None:
    told = shortage(n_clips, users, workers)
    assert (told is not None) == is_short
    if told is not None:
        assert told.startswith(f"{n_clips} clips for {users} callers") and "\n" not in told
