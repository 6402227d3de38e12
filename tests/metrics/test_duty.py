"""The speaking share of a hold."""

import pytest
from made_run import utterance

from stt_load.metrics.duty import DutyCycle


def test_the_duty_cycle_is_the_speaking_share_of_the_hold_edges_cut() -> None:
    duty = DutyCycle(2, 100.0, 110.0)
    duty.add(
        [
            utterance(0, 2, started_at=90.0, audio_s=4.0, phase="ramp"),
            utterance(0, 2, started_at=98.0, audio_s=4.0, phase="ramp"),  # 2 s of it in the hold
            utterance(0, 2, started_at=103.0, audio_s=5.0),
        ]
    )
    duty.add(
        [
            utterance(0, 2, started_at=107.0, audio_s=9.0),  # 3 s of it in the hold
            utterance(0, 2, started_at=110.0, audio_s=9.0, phase="grace"),
        ]
    )
    assert duty.close() == pytest.approx(10 / 20)


def test_a_hold_of_no_length_has_none() -> None:
    assert DutyCycle(2, 100.0, 100.0).close() is None
    assert DutyCycle(0, 100.0, 110.0).close() is None
