"""What is set aside is left alone by the garbage collector until somebody sweeps."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from stt_load.run.gc_control import collect_all, collect_young, freeze


class Ring:
    """Holds itself: only a collection finds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_stays_aside() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_set_aside_is_looked_through_by_the_next_sweep_and_not_before() -> None:
    gone = weakref.ref(Ring())
    freeze()
    gc.collect()
    assert gone() is not None
    collect_all()
    assert gone() is None


def test_tidying_up_frees_young_rings_and_leaves_nothing_young_to_look_at() -> None:
    collect_all()
    gone, kept = weakref.ref(Ring()), Ring()
    collect_young()
    assert gone() is None
    assert not any(thing is kept for generation in (0, 1, 2) for thing in gc.get_objects(generation))
    kept.itself = None
    kept = weakref.ref(kept)
    assert kept() is None, "what is set aside is freed as ever"


def test_what_comes_after_a_sweep_is_looked_through_as_ever() -> None:
    collect_all()
    gone = weakref.ref(Ring())
    gc.collect()
    assert gone() is None
