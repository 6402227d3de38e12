from __future__ import annotations

import json

import pytest

from gpu_sidecar.api import BadRequest, parse_announcement
from gpu_sidecar.timeline import StageTag

WHOLE = {"run_id": "r1", "stage": 2, "users": 20, "phase": "hold"}


def test_a_whole_announcement_is_a_tag() -> None:
    assert parse_announcement(json.dumps({**WHOLE, "more": "is ignored"}).encode()) == (
        StageTag("r1", 2, 20, "hold"),
        0,
    )


def test_all_null_ends_the_tagging() -> None:
    assert parse_announcement(json.dumps(dict.fromkeys(WHOLE)).encode()) == (StageTag(), 0)


@pytest.mark.parametrize(("after", "number"), [(0, 0), (50, 50), (None, 0)])
def test_an_announcement_says_up_to_where_its_sender_has_read(after: int | None, number: int) -> None:
    assert parse_announcement(json.dumps({**WHOLE, "after": after}).encode())[1] == number


@pytest.mark.parametrize(
    ("body", "line"),
    [
        (b"", "the body is not JSON"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe\xfa", "the body is not JSON"),
        (b"[" * 50_000, "the body is not JSON"),
        (b"[]", "the body must be a JSON object"),
        (b"null", "the body must be a JSON object"),
        (b"{}", "run_id is missing: send run_id, stage, users and phase, and null for what has no value"),
        ({**WHOLE, "run_id": 1}, "run_id must be text of up to 200 characters, or null"),
        ({**WHOLE, "phase": "x" * 201}, "phase must be text of up to 200 characters, or null"),
        ({**WHOLE, "phase": "hold\ud800"}, "phase is not UTF-8 text"),
        ({**WHOLE, "run_id": "\udfff"}, "run_id is not UTF-8 text"),
        (b'{"run_id": "r1", "stage": 2, "users": 20, "phase": "hold\xed\xa0\x80"}', "phase is not UTF-8 text"),
        (b'{"run_id": "r1", "stage": 2, "users": 20, "phase": "hold\xff"}', "the body is not JSON"),
        ({**WHOLE, "stage": True}, "stage must be a whole number from 0, or null"),
        ({**WHOLE, "stage": 1.5}, "stage must be a whole number from 0, or null"),
        ({**WHOLE, "users": "20"}, "users must be a whole number from 0, or null"),
        ({**WHOLE, "users": -1}, "users must be a whole number from 0, or null"),
        ({**WHOLE, "users": 10**30}, "users must be a whole number from 0, or null"),
        ({**WHOLE, "after": -1}, "after must be a whole number from 0, or null"),
        ({**WHOLE, "after": "7"}, "after must be a whole number from 0, or null"),
        ({**WHOLE, "after": True}, "after must be a whole number from 0, or null"),
        ({**WHOLE, "after": 10**15}, "after must be a whole number from 0, or null"),
    ],
)
def test_a_bad_announcement_gets_one_line(body: bytes | dict[str, object], line: str) -> None:
    with pytest.raises(BadRequest) as caught:
        parse_announcement(body if isinstance(body, bytes) else json.dumps(body).encode())
    assert str(caught.value) == line
