"""Failures with like messages are one group."""

import pytest
from made_run import utterance

from stt_load.metrics.failures import LISTED, OTHER_MESSAGES, Failure, FailureGroups, masked

MASKED = [
    ("HTTP 503 at the upgrade: 43 of 40 sessions", "HTTP 503 at the upgrade: … of … sessions"),
    (
        "closed by the server with 1013: caller 7 is one too many",
        "closed by the server with 1013: caller … is one too many",
    ),
    ("no connection to 10.0.0.7:8000: Connection refused", "no connection to …: Connection refused"),
    ("no connection to [::1]:40001: refused", "no connection to …: refused"),
    ("request 8c1f9a2e-77aa-4b52-9d0c-0123456789ab: internal error", "request …: internal error"),
    ('the server failed: {"type": "error", "id": "req_9fa8", "message": "full"}',) * 2,
    ("Error code 429 (id=ab12)", "Error code 429 (id=…)"),
    ("no words of anybody", "no words of anybody"),
]


@pytest.mark.parametrize(("message", "expected"), MASKED)
def test_what_has_a_digit_is_masked_but_for_codes_that_are_the_reason(message: str, expected: str) -> None:
    assert masked(message) == expected.replace("req_9fa8", "…")


def listed(*told: tuple[str, str | None]) -> tuple[Failure, ...]:
    groups = FailureGroups(lambda record: f"advice for {record.error}")
    for at, (outcome, error) in enumerate(told):
        groups.add([utterance(0, 1, at, outcome=outcome, error=error)])
    return groups.listed()


def test_a_message_that_all_told_alike_is_shown_as_it_is_and_one_that_differs_is_masked() -> None:
    assert listed(("refused", "43 of 40"), ("refused", "43 of 40"), ("timed_out", "no text in 30 s")) == (
        Failure("refused", "43 of 40", 2, "advice for 43 of 40"),
        Failure("timed_out", "no text in 30 s", 1, "advice for no text in 30 s"),
    )
    assert listed(("refused", "43 of 40"), ("refused", "44 of 40")) == (
        Failure("refused", "… of …", 2, "advice for 43 of 40"),
    )


def test_advice_is_asked_for_when_the_whole_stage_is_known() -> None:
    known = "little"
    groups = FailureGroups(lambda record: f"{known} is known")
    groups.add([utterance(0, 1, 0, outcome="timed_out", error="late")])
    known = "all"
    assert [failure.advice for failure in groups.listed()] == ["all is known"]


def test_what_was_told_without_a_message_is_a_group_too() -> None:
    assert listed(("no_final", None)) == (Failure("no_final", "", 1, "advice for None"),)


def test_a_server_that_invents_messages_gets_no_more_lines_and_all_are_counted() -> None:
    words = ["".join(chr(ord("a") + int(digit)) for digit in str(n)) for n in range(1_500)]
    failures = listed(*[("refused", "full")] * 2, *(("refused", word) for word in words), ("timed_out", "late"))
    assert len(failures) == LISTED + 2
    assert failures[0] == Failure("refused", "full", 2, "advice for full")
    assert failures[-2:] == (
        Failure("refused", OTHER_MESSAGES, 1_500 - (LISTED - 1)),
        Failure("timed_out", OTHER_MESSAGES, 1),
    )


def test_of_a_very_long_message_the_beginning_is_kept() -> None:
    (failure,) = listed(("server_error", "x" * 100_000))
    assert len(failure.message) == 200
