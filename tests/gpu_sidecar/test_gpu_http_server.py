"""The HTTP server of a whole sidecar: what it answers, what it refuses, and which clients it accepts."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from stand_in import (
    DEADLINE_S,
    RunningSidecar,
    StandInSmi,
    dmon_row,
    environment_with_path,
    eventually,
    refusal,
    sidecar,
)

from gpu_sidecar import http_server
from gpu_sidecar.api import Response, SidecarState
from gpu_sidecar.gpu_choice import GpuChoice
from gpu_sidecar.timeline import MAX_SAMPLES, Timeline

# A dmon that says nothing for three periods is killed: a test that feeds it may take its time.
FED_BY_HAND = ("--no-host", "--interval", "60")
STAGE = {"run_id": "r1", "stage": 2, "users": 20, "phase": "hold"}


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSidecar]:
    """A sidecar without a GPU, for questions that need none."""
    with sidecar(environment_with_path(str(tmp_path_factory.mktemp("empty")))) as running:
        yield running


def test_samples_are_tagged_with_the_stage_that_was_on(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(dmon_row(sm=3, fb=500))
        running.wait_for_samples(1)
        assert running.post_stage(**STAGE).json()["stage"] == STAGE
        smi.feed(dmon_row(sm=45, fb=1842))
        untagged, tagged = running.wait_for_samples(2)
    assert {key: untagged[key] for key in STAGE} == dict.fromkeys(STAGE)
    assert {key: tagged[key] for key in STAGE} == STAGE
    assert (tagged["kind"], tagged["gpu"], tagged["sm_pct"], tagged["fb_mib"]) == ("gpu", 1, 45, 1842)
    assert tagged["seq"] == untagged["seq"] + 1
    assert tagged["t"] >= untagged["t"]


def test_samples_after_a_number_are_those_that_came_later(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(*(dmon_row(sm=sm, fb=1000) for sm in (10, 20, 30)))
        running.wait_for_samples(3)
        page = running.get("/samples", params={"after": 2}).json()
        nothing = running.get("/samples", params={"after": page["next"]}).json()
    assert [row["sm_pct"] for row in page["samples"]] == [30]
    assert (page["next"], page["dropped"], page["more"]) == (3, 0, False)
    assert (nothing["samples"], nothing["next"]) == ([], 3)


def test_stages_have_the_figures_of_their_samples(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        running.post_stage(**STAGE)
        smi.feed(*(dmon_row(sm, fb) for sm, fb in [(40, 1800), (50, 1900), (60, 2000), (80, 2200), (90, 2400)]))
        running.wait_for_samples(5)
        (stage,) = running.get("/stages").json()["stages"]
    assert {key: stage[key] for key in STAGE} == STAGE
    (device,) = stage["devices"]
    assert (device["kind"], device["gpu"], device["n"]) == ("gpu", 1, 5)
    assert device["figures"]["sm_pct"] == {"mean": 64.0, "p95": 90, "max": 90}
    assert device["figures"]["fb_mib"] == {"mean": 2060.0, "p95": 2400, "max": 2400}


def test_a_reader_s_numbers_go_on_after_a_restart(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(dmon_row(sm=45, fb=1842), dmon_row(sm=46, fb=1842))
        eventually(lambda: running.get("/healthz").json()["samples"] == 2)
        assert running.post_stage(**STAGE, after=50).json()["next"] == 52
        page = running.get("/samples", params={"after": 50}).json()
        assert running.post_stage(**STAGE, after=90).json()["next"] == 52
    assert [(row["seq"], row["sm_pct"]) for row in page["samples"]] == [(51, 45), (52, 46)]
    assert page["dropped"] == 0


def test_metrics_show_the_newest_sample(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        running.post_stage(**STAGE)
        smi.feed(dmon_row(sm=45, fb=1842))
        running.wait_for_samples(1)
        answer = running.get("/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    labels = 'gpu="1",uuid="GPU-bbbb",name="NVIDIA H200"'
    assert f"gpu_sm_utilization_ratio{{{labels}}} 0.45\n" in answer.text
    stage = 'run_id="r1",stage="2",users="20",phase="hold"'
    assert f"gpu_sidecar_stage_info{{{stage}}} 1\n" in answer.text


def test_healthz_says_what_is_watched_and_how_it_goes(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running:
        smi.feed(dmon_row(sm=45, fb=1842))
        running.wait_for_samples(1)
        health = running.get("/healthz").json()
    assert health["gpus"] == [
        {
            "index": 1,
            "uuid": "GPU-bbbb",
            "name": "NVIDIA H200",
            "memory_total_mib": 143771,
            "driver": "570.86.15",
        }
    ]
    assert "4242" in health["why"]
    assert health["is_guess"] is False
    (source,) = health["sources"]
    assert source.pop("last_sample_age_s") >= 0
    assert source == {
        "name": "dmon", "kind": "gpu", "period_s": 60, "limit_s": 180, "is_alive": True, "restarts": 0, "complaint": "",
        "note": "", "gaps": [], "output": "terminal",
    }  # fmt: skip
    assert health["warnings"] == []
    assert (health["samples"], health["kept"], health["max_kept"]) == (1, 1, MAX_SAMPLES)
    assert health["last_sample_age_s"] >= 0
    assert health["host"] == socket.gethostname()
    assert {"field": "fb_mib", "kind": "gpu", "unit": "MiB", "help": "Frame buffer memory in use"} in health["metrics"]
    assert (health["recording"], health["stage"]) == (None, dict.fromkeys(STAGE))


def test_healthz_tells_a_source_that_gave_nothing_from_one_that_does(smi: StandInSmi) -> None:
    with sidecar(smi.environment) as running:
        smi.wait_for_dmon()
        running.wait_for_samples(1, kind="host")
        ages = {source["name"]: source["last_sample_age_s"] for source in running.get("/healthz").json()["sources"]}
    assert ages["dmon"] is None
    assert ages["proc"] >= 0


def test_healthz_names_the_server_and_its_samples_come(tmp_path: Path) -> None:
    own = str(os.getpid())
    with sidecar(environment_with_path(str(tmp_path)), "--server-process", f"pid:{own}") as running:
        (row, *_) = running.wait_for_samples(1, kind="process")
        (host, *_) = running.wait_for_samples(1, kind="host")
        server = running.get("/healthz").json()["server"]
    assert int(own) in server["pids"]
    assert row["rss_mib"] > 0
    assert 0 <= host["cpu_pct"] <= 100


def test_every_json_answer_carries_the_clock_and_the_boot(bare: RunningSidecar) -> None:
    answers = [bare.get(path).json() for path in ("/samples", "/stages", "/healthz", "/no/such/path")]
    answers.append(bare.post_stage(**STAGE).json())
    assert len({answer["boot"] for answer in answers}) == 1
    clocks = [(answer["clock"]["wall"], answer["clock"]["mono"]) for answer in answers]
    assert clocks == sorted(clocks)


@pytest.mark.parametrize(
    ("method", "path", "options", "status", "words"),
    [
        ("GET", "/", {}, 404, "no such path"),
        ("GET", "/samples/", {}, 404, "no such path"),
        ("GET", "//[", {}, 404, "no such path"),
        ("POST", "/samples", {}, 405, "/samples takes GET only"),
        ("GET", "/stage", {}, 405, "/stage takes POST only"),
        ("DELETE", "/healthz", {}, 405, "/healthz takes GET only"),
        ("PUT", "/stage", {"json": STAGE}, 405, "/stage takes POST only"),
        ("POST", "/stage", {"data": b"{"}, 400, "not JSON"),
        ("POST", "/stage", {"json": {"run_id": "r1"}}, 400, "stage is missing"),
        ("POST", "/stage", {"data": iter([b"{}"])}, 411, "Content-Length"),
        ("POST", "/stage", {"data": b"x" * (64 * 1024 + 1)}, 413, "65536 bytes at most"),
        ("GET", "/samples?after=x", {}, 400, "whole number"),
        ("GET", "/samples?after=-1", {}, 400, "whole number"),
        ("GET", "/samples?after=", {}, 400, "whole number"),
        ("GET", "/samples?after=" + "9" * 5000, {}, 400, "whole number"),
        ("BREW", "/healthz", {}, 501, "Unsupported method"),
    ],
)
def test_a_bad_request_gets_its_status_and_one_line(
    bare: RunningSidecar, method: str, path: str, options: dict[str, Any], status: int, words: str
) -> None:
    answer = requests.request(method, bare.url + path, timeout=DEADLINE_S, **options)
    assert answer.status_code == status
    line = answer.json()["error"]
    assert words in line
    assert "\n" not in line
    assert answer.headers.get("Allow") == (line.split()[2] if status == 405 else None)


def test_a_body_of_exactly_the_bound_is_read(bare: RunningSidecar) -> None:
    body = b'{"run_id": null, "stage": null, "users": null, "phase": null}'
    answer = requests.post(f"{bare.url}/stage", data=body.ljust(64 * 1024), timeout=DEADLINE_S)
    assert answer.status_code == 200


def test_a_client_that_leaves_in_the_middle_disturbs_nobody(bare: RunningSidecar) -> None:
    host, port = bare.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as half:
        half.sendall(b"POST /stage HTTP/1.1\r\nContent-Length: 900\r\n\r\n{")
        assert bare.get("/healthz").status_code == 200
    with socket.create_connection((host, int(port)), timeout=DEADLINE_S) as rubbish:
        rubbish.sendall(b"\x16\x03\x01 no http at all\r\n\r\n")
        assert rubbish.recv(100)
    assert bare.get("/healthz").status_code == 200


def test_two_hundred_idle_connections_stop_neither_samples_nor_answers(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running, ExitStack() as idle:
        for _ in range(200):
            idle.enter_context(connection_to(running))
        for sm in range(3):
            smi.feed(dmon_row(sm=sm, fb=1000))
            assert [row["sm_pct"] for row in running.wait_for_samples(sm + 1)] == list(range(sm + 1))
        assert running.get("/healthz").json()["sources"][0]["gaps"] == []


def test_two_hundred_requests_at_once_are_all_answered(smi: StandInSmi) -> None:
    with sidecar(smi.environment, *FED_BY_HAND) as running, ExitStack() as all_of_them:
        smi.feed(*(dmon_row(sm=sm, fb=1000) for sm in range(50)))
        running.wait_for_samples(50)
        connections = []
        for _ in range(200):
            connections.append(all_of_them.enter_context(connection_to(running)))
            connections[-1].sendall(b"GET /samples HTTP/1.0\r\n\r\n")
        smi.feed(dmon_row(sm=50, fb=1000))
        statuses = {read_all(connection).split(b" ", 2)[1] for connection in connections}
        assert running.wait_for_samples(51)
    assert statuses == {b"200"}


def test_a_client_that_sends_byte_by_byte_is_cut_off_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each byte comes soon after the last; the request as a whole takes too long."""
    monkeypatch.setattr(http_server, "_REQUEST_S", 0.3)
    with http_server.SidecarServer("127.0.0.1", 0, token=None) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with socket.create_connection(server.server_address[:2], timeout=DEADLINE_S) as slow:
                slow.setblocking(False)
                eventually(lambda: is_cut_off_at_the_next_byte(slow))
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)


def is_cut_off_at_the_next_byte(connection: socket.socket) -> bool:
    try:
        connection.send(b"x")
        return connection.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionError:
        return True


def connection_to(running: RunningSidecar) -> socket.socket:
    host, port = running.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=DEADLINE_S)


def read_all(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_page_in_a_browser_can_announce_no_stage_and_its_name_leads_nowhere(bare: RunningSidecar) -> None:
    before = bare.get("/healthz").json()["stage"]
    page = {"Origin": "https://evil.example", "Content-Type": "text/plain"}
    posted = requests.post(f"{bare.url}/stage", json=STAGE, headers=page, timeout=DEADLINE_S)
    rebound = bare.get("/samples", headers={"Host": "evil.example"})
    assert [answer.status_code for answer in (posted, rebound)] == [403, 403]
    assert "another origin" in posted.json()["error"] and "Host is another name" in rebound.json()["error"]
    assert bare.get("/healthz", headers={"Host": f"localhost:{bare.url.rpartition(':')[2]}"}).json()["stage"] == before


def test_with_a_token_every_name_leads_to_the_sidecar(guarded: RunningSidecar) -> None:
    """A container has one, and a tunnel: whoever has the token is no page."""
    token = "Bearer s3cret-überall".encode()
    assert guarded.get("/healthz", headers={"Host": "gpu-sidecar:9550", "Authorization": token}).status_code == 200
    assert guarded.get("/healthz", headers={"Host": "gpu-sidecar:9550"}).status_code == 401


def test_headers_without_an_end_are_refused_before_they_fill_the_memory(bare: RunningSidecar) -> None:
    headers = b"".join(b"a%d: %s\r\n" % (n, b"x" * 60_000) for n in range(90))
    with ExitStack() as clients:
        connections = [clients.enter_context(connection_to(bare)) for _ in range(20)]
        for connection in connections:
            with suppress(ConnectionError):  # it is refused while it is still sending
                connection.sendall(b"GET /healthz HTTP/1.0\r\n" + headers)
        assert bare.get("/healthz").status_code == 200
    peak_kib = int(Path(f"/proc/{bare.pid}/status").read_text().partition("VmHWM:")[2].split()[0])
    assert peak_kib < 80 * 1024, "20 clients had 5 MiB of headers each"


def test_headers_of_a_moderate_length_are_taken_and_longer_ones_answered(bare: RunningSidecar) -> None:
    assert bare.get("/healthz", headers={"X-Long": "x" * 60_000}).status_code == 200
    answer = bare.get("/healthz", headers={f"X-{n}": "x" * 60_000 for n in range(3)})
    assert (answer.status_code, answer.json()["error"]) == (431, "Too many headers")


def test_a_request_that_the_sidecar_fails_at_is_answered_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Response:
        raise KeyError("x")

    monkeypatch.setitem(http_server.ROUTES, "/healthz", {"GET": fail})  # type: ignore[arg-type]
    state = SidecarState("gpu7", "b1", Timeline(), lambda: GpuChoice((), ""), lambda: None, list)
    with http_server.SidecarServer("127.0.0.1", 0, token=None) as server:
        server.state = state
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            failed = requests.get(f"{server.url}/healthz", timeout=DEADLINE_S)
            told = requests.get(f"{server.url}/metrics", timeout=DEADLINE_S)
        finally:
            server.shutdown()
            thread.join(DEADLINE_S)
    assert failed.status_code == 500
    assert failed.json()["error"].startswith("the sidecar failed: KeyError: 'x' (test_gpu_http_server.py:")
    assert 'gpu_sidecar_failures_total{where="http"} 1\n' in told.text


# Leaves a few descriptors for connections.
WITH_FEW_DESCRIPTORS = """\
import resource, sys
from gpu_sidecar.cli import main
resource.setrlimit(resource.RLIMIT_NOFILE, (24, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
sys.exit(main())
"""


def test_connections_that_use_up_all_descriptors_cost_no_processor_and_it_answers_when_they_are_gone(
    smi: StandInSmi,
) -> None:
    program = [sys.executable, "-c", WITH_FEW_DESCRIPTORS]
    with sidecar(smi.environment, *FED_BY_HAND, program=program) as running:
        smi.wait_for_dmon()
        with ExitStack() as idle:
            for _ in range(40):
                idle.enter_context(connection_to(running))
            eventually(lambda: len(list(Path(f"/proc/{running.pid}/fd").iterdir())) >= 24)
            before_s = cpu_s(running.pid)
            smi.feed(dmon_row(sm=10, fb=1000))
            time.sleep(1.0)  # a busy loop would take all that it gets
            assert cpu_s(running.pid) - before_s < 0.15
        assert len(running.wait_for_samples(1)) == 1


def cpu_s(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def test_head_gets_no_body(bare: RunningSidecar) -> None:
    with connection_to(bare) as connection:
        connection.sendall(b"HEAD /healthz HTTP/1.0\r\n\r\n")
        head, end, body = read_all(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 405 ") and b"Content-Length: " in head
    assert (end, body) == (b"\r\n\r\n", b"")


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("s3cret-überall\n", encoding="utf-8")
    return path


def test_beyond_loopback_a_token_is_needed_to_start(tmp_path: Path) -> None:
    code, lines = refusal(environment_with_path(str(tmp_path)), "--host", "0.0.0.0", "--port", "0")
    assert code == 2
    assert lines == [
        "gpu_sidecar: --host 0.0.0.0 needs a token, since other machines can reach it: "
        "use --token-file or GPU_SIDECAR_TOKEN"
    ]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (None, 401),
        ("Bearer wrong", 401),
        ("s3cret-überall", 401),
        ("bearer s3cret-überall", 401),
        ("Bearer s3cret-überall", 200),
    ],
)
@pytest.mark.parametrize("path", ["/healthz", "/samples", "/metrics", "/no/such/path"])
def test_who_shows_no_token_gets_nothing(guarded: RunningSidecar, path: str, header: str | None, status: int) -> None:
    headers = {} if header is None else {"Authorization": header.encode()}
    answer = guarded.get(path, headers=headers)
    assert answer.status_code == (404 if status == 200 and path.startswith("/no") else status)
    if status == 401:
        assert answer.json()["error"] == "a valid token is needed: Authorization: Bearer TOKEN"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSidecar]:
    """Guarded by the environment's token, on loopback too."""
    environment = environment_with_path(str(tmp_path_factory.mktemp("empty")))
    with sidecar({**environment, "GPU_SIDECAR_TOKEN": "s3cret-überall"}) as running:
        yield running


def test_the_token_appears_nowhere_nor_do_the_wrong_ones(tmp_path: Path, token_file: Path) -> None:
    with sidecar(environment_with_path(str(tmp_path)), "--token-file", str(token_file)) as running:
        right = {"Authorization": "Bearer s3cret-überall".encode()}
        answers = [running.get(path, headers=right).text for path in ("/healthz", "/metrics", "/stages", "/samples")]
        for shown in ("Bearer s3cret-wrong", "s3cret-überall", "Basic s3cret"):
            answers.append(running.get("/healthz", headers={"Authorization": shown.encode()}).text)
        answers.append(running.get("/healthz?token=s3cret-asked").text)
        with connection_to(running) as odd:
            odd.sendall(b"GET /healthz HTTP/1.0 s3cret-odd\r\nAuthorization: Bearer s3cret-odd\r\n\r\n")
            odd.shutdown(socket.SHUT_WR)
            while received := odd.recv(65536):
                answers.append(received.decode())
        running.process.terminate()
        output, log = running.process.communicate(timeout=DEADLINE_S)
    assert not any("s3cret" in text for text in [*answers, output.decode(), log.decode()])
