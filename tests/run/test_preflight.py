"""What is said of this machine and its network before a run begins."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from fakes import clip

from stt_load.config import parse_options
from stt_load.run import preflight
from stt_load.run.preflight import port_taken, shortage_of_room, shortages_of_limits, unreachable, unwritable


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


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0", "*", "", "::1", "::"])
def test_a_port_can_be_listened_on_until_somebody_does(host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    if family is socket.AF_INET6 and not _has_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.create_server(("" if host == "*" else host, 0), family=family) as listening:
        port = listening.getsockname()[1]
        line = port_taken("--web-port", host, port)
        assert line == f"--web-port: can't listen on {host or '*'}:{port} (Address already in use): name another port"
    assert port_taken("--web-port", host, port) is None


def _has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def test_a_name_that_is_none_is_told_in_words() -> None:
    line = port_taken("--master-bind-port", "no-such-name.invalid", 5557)
    assert line is not None
    assert "Unknown error" not in line
    assert line.startswith("--master-bind-host: ")
    assert line.endswith(": name an address of this machine")


def test_an_address_of_another_machine_is_blamed_rather_than_the_port() -> None:
    assert port_taken("--web-port", "203.0.113.5", 5557) == (
        "--web-host: can't listen on 203.0.113.5:5557 (Cannot assign requested address): "
        "name an address of this machine"
    )


def test_a_folder_that_is_only_tried_is_left_as_it_was(tmp_path: Path) -> None:
    assert unwritable(str(tmp_path / "new" / "results")) is None
    assert not list(tmp_path.iterdir())
    (tmp_path / "results").mkdir()
    assert unwritable(str(tmp_path / "results")) is None
    assert (tmp_path / "results").is_dir()
    (tmp_path / "file").write_text("")
    line = unwritable(str(tmp_path / "file" / "results"))
    assert line is not None and line.endswith("(Not a directory): name a folder that you may write to")


def test_a_soak_is_held_against_the_room_on_the_disk(tmp_path: Path) -> None:
    def of(soak: str) -> str | None:
        options = {"dialect": "vosk", "concurrency": "20", "results": str(tmp_path / "new" / "results"), "soak": soak}
        return shortage_of_room(parse_options(options), [clip()], 20)

    line = of("900000h")
    assert line is not None and line.startswith("a soak of 9e+05 h with 20 callers writes up to ")
    assert of("1s") is None
    assert of("") is None
