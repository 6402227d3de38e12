"""What a signal leaves behind in a process that goes on, as no other than that of these tests does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from stt_load.workloads import clip_progress


@pytest.fixture(autouse=True)
def process_that_goes_on() -> Iterator[None]:
    """The process is told to end in one test, and makes clips again in the next."""
    yield
    clip_progress._is_ending.clear()
