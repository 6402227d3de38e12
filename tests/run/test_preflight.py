"""What is said of this machine and its network before a run begins."""

from __future__ import annotations

import socket

import pytest
from fakes import clip

from stt_load.config import parse_options
from stt_load.run import preflight
from stt_load.run.preflight import shortages_of_limits, unreachable


def test_a_server_that_nobody_started_is_told_from_a_name_server_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
        assert unreachable("--stt-url", f"ws://127.0.0.1:{port}/") is None
    line = unreachable("--stt-url", f"ws://127.0.0.1:{port}/")
    assert line is not None and line.endswith("(Connection refused): start the server or correct the URL")

    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(preflight.socket, "getaddrinfo", fail)
    line = unreachable("--stt-url", "ws://stt.test/")
    assert line == (
        "--stt-url: no connection to stt.test:80 (Temporary failure in name resolution): the name server of this "
        "machine fails: see /etc/resolv.conf"
    )


def test_a_run_is_held_against_the_limits_of_this_machine() -> None:
    config = parse_options({"dialect": "vosk", "stt_url": "ws://127.0.0.1:9/"})
    assert shortages_of_limits(config, [clip(0.0, 1.0, 1.0)], callers=1, processes=1) == []
    lines = shortages_of_limits(config, [clip(0.0, 1.0, 1.0)], callers=10**20, processes=2)
    assert "file descriptors each, and" in lines[0]
    requests = parse_options({"dialect": "upload-openai", "stt_url": "http://127.0.0.1:9/"})
    assert len(shortages_of_limits(requests, [clip(0.0, 1.0, 1.0)], callers=10**20, processes=2)) == len(lines)
