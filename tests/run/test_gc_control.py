"""What is frozen is left alone by the garbage collector until everything is collected."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from stt_load.run.gc_control import collect_all, collect_young, freeze


class Cycle:
    """Refers to itself: only a collection frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def nothing_stays_frozen() -> Iterator[None]:
    yield
    gc.unfreeze()


def test_what_is_frozen_is_collected_by_collect_all_and_not_before() -> None:
    gone = weakref.ref(Cycle())
    freeze()
    gc.collect()
    assert gone() is not None
    collect_all()
    assert gone() is None


def test_collect_young_frees_young_cycles_and_leaves_nothing_young() -> None:
    collect_all()
    gone, kept = weakref.ref(Cycle()), Cycle()
    collect_young()
    assert gone() is None
    assert not any(thing is kept for generation in (0, 1, 2) for thing in gc.get_objects(generation))
    kept.itself = None
    kept = weakref.ref(kept)
    assert kept() is None, "what is frozen is freed as ever when nothing refers to it"


def test_what_comes_after_collect_all_is_collected_as_ever() -> None:
    collect_all()
    gone = weakref.ref(Cycle())
    gc.collect()
    assert gone() is None
