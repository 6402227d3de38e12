"""The client against whole sidecars, against what is no sidecar, and a sidecar of its own."""

from __future__ import annotations

import logging
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from stand_in import (
    DEADLINE_S,
    StandInSmi,
    dmon_row,
    environment_with_path,
    sidecar,
)

from stt_load.sidecar_client import SidecarClient


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_samples_come_once_each_with_their_stage(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=40, fb=1800), dmon_row(sm=50, fb=1900))
        running.wait_for_samples(2)
        first = client.pull()
        client.announce("r1", 0, 5, "grace")
        smi.feed(dmon_row(sm=60, fb=2000))
        running.wait_for_samples(3)
        second, third = client.pull(), client.pull()
    assert [(row["sm_pct"], row["phase"]) for row in first] == [(40, "hold"), (50, "hold")]
    assert [(row["sm_pct"], row["phase"]) for row in second] == [(60, "grace")]
    assert third == []


def test_samples_from_before_the_first_contact_are_somebody_elses(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        client = SidecarClient(running.url)
        assert client.pull() == []
        smi.feed(dmon_row(sm=20, fb=1000))
        running.wait_for_samples(2)
        assert [row["sm_pct"] for row in client.pull()] == [20]


@pytest.mark.parametrize("ahead_s", [0.0, 30.0, -30.0])
def test_times_are_on_our_clock_whatever_the_sidecars_says(smi: StandInSmi, ahead_s: float) -> None:
    with sidecar(smi.environment, clock_ahead_s=ahead_s) as running:
        client = SidecarClient(running.url)
        client.describe()
        before = time.time()
        smi.feed(dmon_row(sm=40, fb=1800))
        running.wait_for_samples(1)
        (row,) = client.pull()
        after = time.time()
    offset_s, uncertainty_s = client.clock_offset_s, client.clock_uncertainty_s
    assert offset_s is not None
    assert uncertainty_s is not None
    assert offset_s == pytest.approx(ahead_s, abs=uncertainty_s + 0.001)
    assert before - uncertainty_s <= row["t"] <= after + uncertainty_s


def test_the_exchange_with_the_shortest_round_trip_is_kept(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        client = SidecarClient(running.url)
        uncertainties_s = []
        for _ in range(20):
            client.pull()
            uncertainties_s.append(client.clock_uncertainty_s)
    assert uncertainties_s == sorted(uncertainties_s, key=lambda s: -float(s or 0))


def test_a_restarted_sidecar_is_read_from_its_beginning_and_told_the_stage(smi: StandInSmi, free_port: int) -> None:
    with sidecar(smi.environment, port=free_port) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 3, 20, "hold")
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        running.wait_for_samples(2)
        assert [row["seq"] for row in client.pull()] == [1, 2]
        running.process.kill()
        running.process.wait(DEADLINE_S)
    with sidecar(smi.environment, port=free_port) as running:
        smi.feed(dmon_row(sm=30, fb=1000))
        running.wait_for_samples(1)
        before_it_knew = client.pull()
        smi.feed(dmon_row(sm=40, fb=1000))
        running.wait_for_samples(2)
        after_it_knew = client.pull()
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in before_it_knew] == [(1, 30, None)]
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in after_it_knew] == [(2, 40, 3)]


def test_nobody_there_costs_one_warning_until_it_is_back(
    smi: StandInSmi, free_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{free_port}"
    client = SidecarClient(url)
    client.announce("r1", 0, 5, "hold")
    assert client.pull() == []
    assert client.describe()["why"] == f"no answer from the GPU sidecar at {url}"
    assert client.available is False
    assert warnings_of(caplog) == [f"GPU sidecar {url}: nobody answers there; no GPU figures until it is back"]
    caplog.clear()
    with sidecar(smi.environment, port=free_port) as running:
        client.pull()
        assert client.available is True
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        assert [row["stage"] for row in client.pull()] == [0]  # the announcement that was lost was made up for
    client.pull()
    client.pull()
    assert warnings_of(caplog) == [
        f"GPU sidecar {url}: back",
        f"GPU sidecar {url}: nobody answers there; no GPU figures until it is back",
    ]


def test_a_sidecar_that_never_answers_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = SidecarClient(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.05)
        client.announce("r1", 0, 5, "hold")
        assert client.pull() == []
    assert [line.partition(": ")[2] for line in warnings_of(caplog)] == [
        "no answer within 0.05 s; no GPU figures until it is back"
    ]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>hello</html>", "what answers there is not a GPU sidecar"),
        (200, "[]", "what answers there is not a GPU sidecar"),
        (200, "{}", "what answers there is not a GPU sidecar"),
        (200, '{"clock": {"wall": "x", "mono": 1}, "boot": "b", "next": 0}', "could not convert"),
        (200, '{"clock": {"wall": 1, "mono": 1}, "boot": "b", "next": 0}', "its samples can't be read"),
        (
            200,
            '{"clock": {"wall": 1, "mono": 1}, "boot": "b", "next": 0, "samples": 3, "gpu": 3}',
            "its samples can't be read",
        ),
        (404, '{"error": "no such path"}', "it answered 404: no such path"),
        (302, "{}", "it answered 302"),
        (401, "", "it wants a token, or another one"),
    ],
)
def test_what_is_no_sidecar_is_named_and_never_raises(
    status: int, body: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status, body) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.pull() == []
        assert client.available is False
        client.describe()
    assert words in warnings_of(caplog)[0]


@pytest.mark.parametrize("url", ["localhost:9550", "http://", "http://[::1", "gopher://x", "http://a b"])
def test_a_url_that_is_none_never_raises(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert SidecarClient(url).pull() == []
    assert len(warnings_of(caplog)) == 1


class answering:  # noqa: N801 - read as "with answering(404, ...)"
    """An HTTP server on loopback that says the same to everybody."""

    def __init__(self, status: int, body: str) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = HTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_port}"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join(DEADLINE_S)
        self._server.server_close()


def test_a_token_opens_a_guarded_sidecar(smi: StandInSmi, caplog: pytest.LogCaptureFixture) -> None:
    environment = {**smi.environment, "GPU_SIDECAR_TOKEN": "s3cret-überall"}
    with sidecar(environment) as running:
        assert SidecarClient(running.url, token="s3cret-überall").describe()["index"] == 1
        for token in (None, "wrong"):
            assert SidecarClient(running.url, token=token).describe()["index"] is None
    assert len(warnings_of(caplog)) == 2
    assert all("it wants a token, or another one" in line for line in warnings_of(caplog))
    assert not any("s3cret" in record.getMessage() for record in caplog.records)


def test_several_sidecars_are_several_clients(smi: StandInSmi, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with (
        sidecar(smi.environment) as with_gpu,
        sidecar(environment_with_path(str(tmp_path / "empty"))) as without,
    ):
        clients = [SidecarClient(with_gpu.url), SidecarClient(without.url)]
        for client in clients:
            client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=40, fb=1800))
        with_gpu.wait_for_samples(1)
        assert [len(client.pull()) for client in clients] == [1, 0]
        assert [client.available for client in clients] == [True, True]
