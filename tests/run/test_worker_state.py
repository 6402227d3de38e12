from __future__ import annotations

from typing import Any

import pytest

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.worker_state import StageTally


@pytest.mark.parametrize(
    ("facts", "tally"),
    [
        ({"outcome": Outcome.OK, "understood": True}, StageTally(1, ok=1)),
        ({"outcome": Outcome.REFUSED}, StageTally(1, refused=1)),
        ({"outcome": Outcome.REFUSED, "understood": False}, StageTally(1, refused=1)),
        ({"outcome": Outcome.REFUSED, "other_dialects": ["funasr"]}, StageTally(1, refused=1, other_dialect=1)),
        ({"outcome": Outcome.TIMED_OUT, "other_dialects": ["vosk"]}, StageTally(1, other_dialect=1)),
        ({"outcome": Outcome.TIMED_OUT, "understood": False}, StageTally(1, other_dialect=1)),
        ({"outcome": Outcome.TIMED_OUT, "understood": True}, StageTally(1)),
        ({"outcome": Outcome.NO_FINAL}, StageTally(1)),
    ],
)
def test_an_utterance_is_counted_by_its_end(facts: dict[str, Any], tally: StageTally) -> None:
    counted = StageTally()
    counted.add(UtteranceRecord("run", 0, 0, 0, "hold", 1, "a", "x", **facts))
    assert counted == tally
    assert counted + counted == StageTally(2, 2 * tally.ok, 2 * tally.refused, 2 * tally.other_dialect)
