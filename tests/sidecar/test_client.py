"""The client against whole sidecars, and against servers that are none."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from ports import free_port
from stand_in import DEADLINE_S, RunningSidecar, StandInSmi, dmon_row, eventually, sidecar

from stt_load.plausible import objection
from stt_load.sidecar import client as client_module
from stt_load.sidecar.client import _MAX_PAGES, SidecarClient
from stt_load.sidecar_rows import GpuEntry, SampleTags, SidecarEntry, wrong_figures

pytestmark = pytest.mark.slow


@pytest.fixture
def port() -> int:
    return free_port()


@contextlib.contextmanager
def bare_sidecar(smi: StandInSmi, port: int = 0, clock_ahead_s: float = 0.0) -> Iterator[RunningSidecar]:
    """A sidecar that knows its GPUs, and whose only samples are those fed to the stand-in."""
    with sidecar(smi.environment, "--no-host", port=port, clock_ahead_s=clock_ahead_s) as running:
        wait_for_gpus(running)
        yield running


def wait_for_gpus(running: RunningSidecar) -> None:
    eventually(lambda: running.get("/healthz").json()["gpus"])


def wait_until_taken(running: RunningSidecar, n: int) -> None:
    """Waits until the sidecar has n samples, without reading them."""
    eventually(lambda: running.get("/healthz").json()["samples"] >= n)


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def envelope(**content: object) -> str:
    """The fields that every answer of a sidecar has, and more."""
    return json.dumps({"clock": {"wall": 1, "mono": 1}, "boot": "b", "host": "h", "next": 0, **content})


def test_samples_come_once_each_with_their_stage(smi: StandInSmi) -> None:
    with bare_sidecar(smi) as running:
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
    with bare_sidecar(smi) as running:
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        client = SidecarClient(running.url)
        assert client.pull() == []
        smi.feed(dmon_row(sm=20, fb=1000))
        running.wait_for_samples(2)
        assert [row["sm_pct"] for row in client.pull()] == [20]


@pytest.mark.parametrize("ahead_s", [0.0, 30.0, -30.0])
def test_times_and_stages_are_right_whatever_the_sidecars_clock_says(smi: StandInSmi, ahead_s: float) -> None:
    with bare_sidecar(smi, clock_ahead_s=ahead_s) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 2, 20, "hold")
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
    assert (row["stage"], row["phase"]) == (2, "hold")


def test_a_restarted_sidecar_is_told_the_stage_and_counts_on(smi: StandInSmi, port: int) -> None:
    with bare_sidecar(smi, port) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 3, 20, "hold")
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        wait_until_taken(running, 2)
        before = client.pull()
        running.process.kill()
        running.process.wait(DEADLINE_S)
    with bare_sidecar(smi, port) as running:
        smi.feed(dmon_row(sm=30, fb=1000))
        wait_until_taken(running, 1)
        after = client.pull()  # nothing but a pull is needed for it to know the stage
        smi.feed(dmon_row(sm=40, fb=1000))
        wait_until_taken(running, 2)
        after += client.pull()
        its_own_numbers = [row["seq"] for row in running.get("/samples").json()["samples"]]
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in before] == [(1, 10, 3), (2, 20, 3)]
    assert [(row["seq"], row["sm_pct"], row["stage"]) for row in after] == [(3, 30, None), (4, 40, 3)]
    assert its_own_numbers == [3, 4]
    assert len({row["boot"] for row in before}) == len({row["boot"] for row in after}) == 1
    assert before[0]["boot"] != after[0]["boot"]


def test_gaps_from_before_a_restart_are_not_forgotten(smi: StandInSmi, port: int) -> None:
    client = SidecarClient(f"http://127.0.0.1:{port}")
    with bare_sidecar(smi, port, clock_ahead_s=30.0) as running:
        os.kill(smi.wait_for_dmon(), signal.SIGKILL)
        smi.wait_for_dmon(2)
        smi.feed(dmon_row(sm=40, fb=1800))
        running.wait_for_samples(1)
        assert client.check()
        (before,) = client.describe()["sources"][0]["gaps"]
        offset_s = client.clock_offset_s
    with bare_sidecar(smi, port):
        assert client.check()
        (after,) = client.describe()["sources"][0]["gaps"]
    assert offset_s == pytest.approx(30.0, abs=1.0)
    assert after["began"] == pytest.approx(before["began"] - 30.0, abs=1.0)
    assert after["ended"] - after["began"] == pytest.approx(before["ended"] - before["began"])
    assert after["why"] == before["why"]


def health(wall: float, mono: float, *gaps: dict[str, Any]) -> str:
    """What a sidecar answers to GET /healthz whose clocks show this, as far as the client reads it."""
    source = {"name": "dmon", "kind": "gpu", "period_s": 1.0, "limit_s": 3.0, "is_alive": True, "gaps": list(gaps)}
    return json.dumps(
        {"clock": {"wall": wall, "mono": mono}, "boot": "b", "host": "h", "next": 0, "gpus": [], "sources": [source]}
    )


@pytest.mark.parametrize("set_by_s", [0.0, 3600.0, -86_400.0])
def test_a_gap_stays_where_it_was_though_the_sidecars_wall_clock_is_set(set_by_s: float) -> None:
    """It began 100 s and ended 40 s ago, by its monotonic clock; since then the wall clock was set."""
    now, mono = time.time() + 30.0, 5_000.0
    gap = {"began": now - 100 - set_by_s, "ended": now - 40 - set_by_s, "why": "dmon died", "kind": "gpu", "gpu": 1}
    with answering(200, health(now, mono, {**gap, "began_mono": mono - 100, "ended_mono": mono - 40})) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.check()
        asked = time.time()
        entry = client.describe()
    (told,) = entry["sources"][0]["gaps"]
    ours = [told["began"] - entry["clock_offset_s"], told["ended"] - entry["clock_offset_s"]]
    assert ours == pytest.approx([asked - 100, asked - 40], abs=5.0)
    assert told["ended"] - told["began"] == pytest.approx(60.0)
    assert (told["why"], told["kind"], told["gpu"]) == ("dmon died", "gpu", 1)


def test_samples_and_gaps_stay_where_they_were_though_our_wall_clock_is_set(
    smi: StandInSmi, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    with bare_sidecar(smi, port) as running:
        client = SidecarClient(running.url)
        assert client.check()
        smi.feed(dmon_row(sm=10, fb=1000))
        wait_until_taken(running, 1)
        offset_s, true = client.clock_offset_s, time.time
        monkeypatch.setattr(time, "time", lambda: true() - 3600.0)
        (row,) = client.pull()
        assert row["t"] == pytest.approx(true(), abs=DEADLINE_S)
        assert client.clock_offset_s == pytest.approx(offset_s, abs=1.0)


def test_a_gap_of_an_older_sidecar_has_a_wall_clock_only_and_one_that_lasts_has_no_end() -> None:
    now = time.time()
    gap = {"began": now - 100, "ended": None, "why": "dmon died"}
    with answering(200, health(now, 5_000.0, gap)) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.check()
        (told,) = client.describe()["sources"][0]["gaps"]
    assert told == {**gap, "began": pytest.approx(now - 100)}


def test_numbers_go_on_after_a_restart_though_somebody_else_read_first(smi: StandInSmi, port: int) -> None:
    """What was shown once stays with its number, so the new sidecar keeps its own; ours go on all the same."""
    with bare_sidecar(smi, port) as running:
        client = SidecarClient(running.url)
        client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=10, fb=1000), dmon_row(sm=20, fb=1000))
        wait_until_taken(running, 2)
        rows = client.pull()
        running.process.kill()
        running.process.wait(DEADLINE_S)
    with bare_sidecar(smi, port) as running:
        smi.feed(dmon_row(sm=30, fb=1000))
        wait_until_taken(running, 1)
        assert [row["seq"] for row in running.get("/samples").json()["samples"]] == [1]
        rows += client.pull()
        smi.feed(dmon_row(sm=40, fb=1000), dmon_row(sm=50, fb=1000))
        wait_until_taken(running, 3)
        rows += client.pull()
    assert [(row["seq"], row["sm_pct"]) for row in rows] == [(1, 10), (2, 20), (3, 30), (4, 40), (5, 50)]


def test_host_and_server_come_with_the_gpu(smi: StandInSmi) -> None:
    (smi.folder / "apps").write_text(f"{os.getpid()}, python, GPU-bbbb\n")
    with sidecar(smi.environment, "--server-process", f"pid:{os.getpid()}") as running:
        wait_for_gpus(running)
        client = SidecarClient(running.url)
        client.announce("r1", 0, 5, "hold")
        smi.feed(dmon_row(sm=40, fb=1800))
        rows: list[dict[str, Any]] = []
        eventually(lambda: rows.extend(client.pull()) or {row["kind"] for row in rows} == {"gpu", "host", "process"})
        client.check()
        entry = client.describe()
    assert os.getpid() in entry["server"]["pids"]
    assert {source["name"] for source in entry["sources"]} >= {"dmon", "proc"}
    newest = {row["kind"]: row for row in rows}
    assert newest["process"]["rss_mib"] > 0
    assert newest["host"]["memory_used_mib"] > 0
    assert [newest[kind]["gpu"] for kind in ("gpu", "host", "process")] == [1, None, None]


def test_nobody_there_costs_one_warning_until_it_is_back(
    smi: StandInSmi, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    url = f"http://127.0.0.1:{port}"
    client = SidecarClient(url)
    client.announce("r1", 0, 5, "hold")
    assert client.pull() == []
    assert client.check() is False
    assert client.describe()["why"] == "nothing answers there"
    assert client.available is False
    assert warnings_of(caplog) == [f"GPU sidecar {url}: nothing answers there; no samples until it is back"]
    caplog.clear()
    with bare_sidecar(smi, port) as running:
        client.pull()
        assert client.available is True
        smi.feed(dmon_row(sm=10, fb=1000))
        running.wait_for_samples(1)
        assert [row["stage"] for row in client.pull()] == [0]  # the announcement that was lost was made up for
    client.pull()
    client.pull()
    assert warnings_of(caplog) == [
        f"GPU sidecar {url}: back",
        f"GPU sidecar {url}: nothing answers there; no samples until it is back",
    ]


def test_a_sidecar_that_never_answers_holds_nobody_up(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        client = SidecarClient(f"http://127.0.0.1:{mute.getsockname()[1]}", timeout_s=0.05)
        client.announce("r1", 0, 5, "hold")
        assert client.pull() == []
    assert [line.partition(": ")[2] for line in warnings_of(caplog)] == [
        "no answer within 0.05 s; no samples until it is back"
    ]


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (200, "<html>hello</html>", "what answers there is not a GPU sidecar"),
        (200, "[]", "what answers there is not a GPU sidecar"),
        (200, "{}", "what answers there is not a GPU sidecar"),
        (200, envelope(clock={"wall": "x", "mono": 1}), "could not convert"),
        (200, envelope(clock={"wall": float("nan"), "mono": 1}), "it answered NaN, which is not a number"),
        (200, envelope(clock={"wall": 1, "mono": 1}).replace("1}", "1.0e999}"), "which is not a number"),
        (200, envelope(clock={"wall": 1e300, "mono": 1}), "its clock says 1e+300"),
        (200, envelope(), "its samples can't be read"),
        (200, envelope(samples=3), "its samples can't be read"),
        (200, envelope(samples=[{"seq": 1}], more=False), "its samples can't be read"),
        (404, '{"error": "no such path"}', "it answered 404: no such path"),
        (302, "{}", "it answered 302"),
        (401, "", "it wants its own token"),
    ],
)
def test_what_is_no_sidecar_is_named_and_never_raises(
    status: int, body: str, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    with answering(status, body) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.pull() == []
        assert client.available is False
        client.check()
    assert words in warnings_of(caplog)[0]


def test_a_sample_that_cannot_be_read_costs_itself_and_not_those_around_it(caplog: pytest.LogCaptureFixture) -> None:
    def row(seq: int, **more: Any) -> dict[str, Any]:
        return {"seq": seq, "mono": 1.0, "kind": "host", "cpu_pct": seq, **more}

    rows = [row(1), row(2, mono=None), row(3, kind=7), row(4, mono=10**400), {**row(5), "seq": "5"}, "no row", row(7)]
    with answering(200, envelope(samples=rows, more=False)) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert [row["cpu_pct"] for row in client.pull()] == [1, 7]
        assert client.available
    assert warnings_of(caplog)[-1] == f"GPU sidecar {url}: 5 of 7 samples can't be read"


def test_a_figure_that_can_not_be_is_left_out_of_its_sample_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    wrong = ["x", [], -1, 1e300, True, 10**30]
    rows = [
        {"seq": n, "mono": 1.0, "kind": "gpu", "gpu": 0, "sm_pct": value, "fb_mib": n} for n, value in enumerate(wrong)
    ]
    with answering(200, envelope(samples=rows, more=False)) as url:
        taken = SidecarClient(url, timeout_s=DEADLINE_S).pull()
    assert [(row["fb_mib"], "sm_pct" in row) for row in taken] == [(n, False) for n in range(len(wrong))]
    assert warnings_of(caplog) == [f"GPU sidecar {url}: sm_pct is x, which is no figure"]


ODD_VALUES = (None, "x", -1, 1e308, 10**30, 10**400, True, [], {}, [1], {"a": 1}, [None], [{"gaps": [{}]}], 0.5)


@pytest.mark.parametrize(
    "key", ["host", "gpus", "sources", "why", "is_guess", "warnings", "server", "metrics", "samples", "more", "next"]
)
def test_whatever_a_sidecar_answers_a_report_can_read_what_is_written_of_it(key: str) -> None:
    good = {
        "gpus": [{"index": 0, "name": "A10"}], "sources": [{"kind": "gpu", "period_s": 1.0, "gaps": []}], "more": False,
        "samples": [{"seq": 1, "mono": 1.0, "kind": "gpu", "gpu": 0, "stage": 0, "sm_pct": 5}],
    }  # fmt: skip
    inner = [
        json.dumps(good["samples"][0] | {name: value})
        for name in ("seq", "mono", "kind", "gpu", "stage", "run_id", "sm_pct")
        for value in ODD_VALUES
    ]
    answers = [good | {key: value} for value in ODD_VALUES]
    answers += [good | {"samples": [json.loads(row)]} for row in inner] if key == "samples" else []
    for answer in answers:
        with answering(200, envelope(**answer)) as url:
            client = SidecarClient(url, timeout_s=DEADLINE_S)
            client.check()
            rows = client.pull()
            entry, gpus = client.describe(), client.describe_gpus()
        assert [objection(row, SampleTags) or wrong_figures(row) for row in rows] == [[]] * len(rows)
        assert objection(entry, SidecarEntry) == objection(gpus, list[GpuEntry]) == ""


def test_pages_that_lead_nowhere_and_pages_without_an_end_are_left() -> None:
    row = {"seq": 1, "mono": 1.0, "kind": "host"}
    with answering(200, envelope(samples=[row], more=True)) as url:
        assert len(SidecarClient(url, timeout_s=DEADLINE_S).pull()) == 1
    with answering(200, *(envelope(samples=[{**row, "seq": n}], more=True, next=n) for n in range(1000))) as url:
        assert len(SidecarClient(url, timeout_s=DEADLINE_S).pull()) == _MAX_PAGES


@pytest.mark.parametrize("head", ["200 OK", "302 Found\r\nLocation: http://127.0.0.1:9/"])
@pytest.mark.parametrize(("piece", "pause_s", "words"), [(b"[" * 65536, 0.0, "longer than"), (b"[", 0.02, "no whole")])
def test_an_answer_without_an_end_is_left(
    piece: bytes,
    pause_s: float,
    words: str,
    head: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client_module, "_MAX_ANSWER_BYTES", 1 << 20)
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(f"HTTP/1.0 {head}\r\n\r\n".encode())
                while True:
                    connection.sendall(piece)
                    time.sleep(pause_s)

        thread = threading.Thread(target=answer)
        thread.start()
        assert not SidecarClient(
            f"http://127.0.0.1:{server.getsockname()[1]}", timeout_s=0.6 if pause_s else 0.3
        ).check()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert words in warnings_of(caplog)[0]


def test_health_of_wrong_kinds_is_left_out_of_what_is_told() -> None:
    wrong_gaps = [3, {}, {"began": "x"}, {"began": 1.0, "ended": "x"}, {"began": 1.0, "began_mono": [2]}]
    good_gap = {"began": 1.0, "ended": 2.0, "why": "dmon died"}
    health = {
        "why": 3, "is_guess": "x", "warnings": "text", "server": [], "metrics": {},
        "gpus": [3, {"index": "0"}, {"index": 0, "memory_total_mib": "x"}, {"index": 1, "memory_total_mib": 10}],
        "sources": [7, {"kind": "gpu", "gaps": [*wrong_gaps, good_gap]}, {"kind": "host", "gaps": "none"}],
    }  # fmt: skip
    with answering(200, envelope(**health)) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.check()
        entry, gpus = client.describe(), client.describe_gpus()
    assert {entry[key] for key in ("why", "is_guess", "warnings", "server", "metrics")} == {None}
    assert [(source["kind"], [gap["why"] for gap in source["gaps"]]) for source in entry["sources"]] == [
        ("gpu", ["dmon died"]),
        ("host", []),
    ]
    assert [gpu["index"] for gpu in gpus] == [1]


def test_times_are_right_again_after_the_sidecars_machine_was_asleep(caplog: pytest.LogCaptureFixture) -> None:
    """Its monotonic clock stood still for a minute."""
    row = {"seq": 1, "mono": 4_939.9, "kind": "host"}
    first = envelope(clock={"wall": 1.0, "mono": 5_000.0})
    later = envelope(clock={"wall": 1.0, "mono": 4_940.0}, samples=[row], more=False, next=1)
    with answering(200, first, later) as url:
        client = SidecarClient(url, timeout_s=DEADLINE_S)
        assert client.check()
        (pulled,) = client.pull()
    assert pulled["t"] == pytest.approx(time.time() - 0.1, abs=5.0)
    (line,) = warnings_of(caplog)
    assert line.startswith(f"GPU sidecar {url}: its clock stood still for 60.")


@pytest.mark.parametrize("url", ["localhost:9550", "http://", "http://[::1", "gopher://x", "http://a b"])
def test_a_url_that_is_none_never_raises(url: str, caplog: pytest.LogCaptureFixture) -> None:
    assert SidecarClient(url).pull() == []
    assert len(warnings_of(caplog)) == 1


class answering:  # noqa: N801 - read as "with answering(404, ...)"
    """An HTTP server on loopback that gives these answers one after the other, and the last one to all that follow."""

    def __init__(self, status: int, *bodies: str) -> None:
        left = deque(bodies)

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.send_header("Location", "/elsewhere")
                self.end_headers()
                self.wfile.write((left.popleft() if len(left) > 1 else left[0]).encode())

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


def test_no_proxy_of_the_environment_stands_between(smi: StandInSmi, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with sidecar(smi.environment) as running:
        assert SidecarClient(running.url).check() is True


def test_a_token_opens_a_guarded_sidecar(smi: StandInSmi, caplog: pytest.LogCaptureFixture) -> None:
    environment = {**smi.environment, "GPU_SIDECAR_TOKEN": "s3cret-überall"}
    with sidecar(environment) as running:
        assert SidecarClient(running.url, token="s3cret-überall").check() is True
        for token in (None, "wrong"):
            assert SidecarClient(running.url, token=token).check() is False
    assert len(warnings_of(caplog)) == 2
    assert all("it wants its own token" in line for line in warnings_of(caplog))
    assert not any("s3cret" in record.getMessage() for record in caplog.records)


def test_a_host_is_called_what_we_call_it(smi: StandInSmi) -> None:
    with bare_sidecar(smi) as running:
        client = SidecarClient(running.url, name_host=lambda host: f"{host} (ours)")
        client.check()
        smi.feed(dmon_row(sm=40, fb=1800))
        wait_until_taken(running, 1)
        (row,) = client.pull()
        eventually(lambda: client.check() and client.describe_gpus())
    ours = f"{socket.gethostname()} (ours)"
    assert [row["host"], client.describe()["host"], client.describe_gpus()[0]["host"]] == [ours] * 3


def test_what_was_known_of_a_sidecar_that_is_gone_is_kept(smi: StandInSmi) -> None:
    with bare_sidecar(smi) as running:
        client = SidecarClient(running.url)
        gpus = eventually(lambda: client.check() and client.describe_gpus())
    assert client.check() is False
    assert client.describe_gpus() == gpus
    assert client.describe()["host"] == socket.gethostname()
