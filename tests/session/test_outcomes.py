"""What each fault is counted as."""

from __future__ import annotations

import pytest

from stt_load.errors import (
    ConnectionLost,
    DeadlineExceeded,
    Outcome,
    ProtocolError,
    SttLoadError,
    TransportError,
    UpgradeRefused,
)
from stt_load.session.outcomes import CLOSE_OUTCOMES, ORDERLY_CLOSES, outcome_of_close, outcome_of_fault


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (UpgradeRefused("HTTP 503", 503), Outcome.REFUSED),
        (DeadlineExceeded("no answer"), Outcome.TIMED_OUT),
        (ProtocolError("not JSON"), Outcome.PROTOCOL_ERROR),
        (ConnectionLost("reset"), Outcome.DISCONNECTED),
        (ConnectionLost("oops", 1011), Outcome.SERVER_ERROR),
        (TransportError("of a kind that is still to be thought of"), Outcome.DISCONNECTED),
    ],
    ids=lambda value: str(value),
)
def test_a_fault_is_counted_as(fault: SttLoadError, outcome: Outcome) -> None:
    assert outcome_of_fault(fault) == outcome


@pytest.mark.parametrize("code", [1000, 1001, 1005, 1006, 1012, 4999])
def test_a_close_that_blames_nobody_is_a_lost_connection(code: int) -> None:
    assert outcome_of_close(code) == Outcome.DISCONNECTED


def test_no_close_is_both_in_good_order_and_somebodys_fault() -> None:
    assert not ORDERLY_CLOSES & CLOSE_OUTCOMES.keys()
