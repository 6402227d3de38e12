from __future__ import annotations

import pytest

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord
from stt_load.run.worker_state import StageTally


@pytest.mark.parametrize(
    ("outcome", "others", "tally"),
    [
        (Outcome.OK, [], StageTally(1, ok=1)),
        (Outcome.REFUSED, [], StageTally(1, refused=1)),
        (Outcome.TIMED_OUT, ["vosk"], StageTally(1, other_dialect=1)),
        (Outcome.NO_FINAL, [], StageTally(1)),
    ],
)
def test_an_utterance_is_counted_by_its_end(outcome: Outcome, others: list[str], tally: StageTally) -> None:
    counted = StageTally()
    counted.add(UtteranceRecord("run", 0, 0, 0, "hold", 1, "a", "x", outcome=outcome, other_dialects=others))
    assert counted == tally
    assert counted + counted == StageTally(2, 2 * tally.ok, 2 * tally.refused, 2 * tally.other_dialect)
