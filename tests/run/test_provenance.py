"""What `run.json` says, and what it must not say."""

from __future__ import annotations

import json

import pytest
from fakes import clip

from stt_load.clips.folder import ClipSet
from stt_load.config import parse_options
from stt_load.credentials import HEADERS_VARIABLE
from stt_load.metrics.language_guess import choose_language
from stt_load.run.provenance import describe_host, describe_run

RAW = {"stt_url": "ws://user:hunter2@127.0.0.1:8000/ws?api_key=hunter2", "label": "night", "concurrency": "2,4"}
CHINESE = choose_language("zh", ())
CLIPS = ClipSet((clip(),), "a folder", "abc", ("a note of the clips",))


def described() -> dict:
    return describe_run("id", parse_options(RAW), RAW, CLIPS, CHINESE, ["a note of the run"], started_at=12.5)


def test_a_run_says_all_that_is_needed_to_repeat_it() -> None:
    run = described()
    assert run["options"]["concurrency"] == "2,4"
    assert run["options"]["hold"] == "60s"
    assert run["frame"] == {"asked_ms": 100.0, "ms": 96.0, "bytes": 3072, "note": run["frame"]["note"]}
    assert run["clips"]["manifest_sha256"] == "abc"
    assert run["normaliser"] == CHINESE.normaliser.title
    assert (run["language"]["code"], run["language"]["told"]) == ("zh", "Chinese (zh), as you asked")
    assert run["notes"] == ["a note of the clips", "a note of the run"]
    assert {"stt-load", "locust", "gevent", "python", "websockets", "msgspec"} <= set(run["versions"])
    assert (run["started_at"], run["ended_at"]) == (12.5, None)
    assert json.loads(json.dumps(run)) == run


def test_no_credential_gets_into_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HEADERS_VARIABLE, "X-Tenant=hunter2\nCookie=a=hunter2")
    run = described()
    assert "hunter2" not in json.dumps(run)
    assert run["headers"] == ["X-Tenant", "Cookie"]
    assert "header" not in run["options"]


def test_the_host_is_described() -> None:
    host = describe_host("master")
    assert host["cores"] >= 1
    assert host["cpu_model"]
    assert host["role"] == "master"
