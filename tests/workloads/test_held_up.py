"""A load generator that is stopped while an answer arrives, in a process of its own, against a real TLS server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from raw_server import DEADLINE_S, TEXT, Caller, close_frame, frame, raw_server

pytestmark = pytest.mark.slow

STOPPED_S = 0.5

# Plays one utterance of a second, and prints when its last message arrived by the monotonic clock of this machine.
_CALLER = """
import sys
kind, url, has_stamps = sys.argv[1:]
if kind != "probe":
    from gevent import monkey
    monkey.patch_all()
import json, time
import numpy as np
from stt_load.audio.clip import Clip
from stt_load.config import parse_options
from stt_load.net import sockets
from stt_load.credentials import NO_CREDENTIALS
from stt_load.workloads.stream import StreamWorkload
from stt_load.workloads.upload import UploadWorkload
from stt_load.workloads.workload import Caller
from stt_load.records import Utterance, UtteranceRecord

if has_stamps == "no":
    sockets.kernel_stamps = lambda: False
dialect = "upload-openai" if kind == "upload" else "vosk"
config = parse_options({"dialect": dialect, "stt_url": url, "insecure": True, "timeout": "20s"})
clip = Clip("one", "some words", np.zeros(16_000, np.int16), 16_000, 0.2, 0.8)
if kind == "probe":
    measured = StreamWorkload.probe(config, clip, NO_CREDENTIALS, lambda line: None)
else:
    workload = (UploadWorkload if kind == "upload" else StreamWorkload)(config, [clip], NO_CREDENTIALS)
    measured = workload.new_attempt(Caller(0, 0, 1), clip, True).run()
ended_s = time.monotonic()
record = UtteranceRecord.assemble(Utterance("run", 0, 0, 0, "hold", 1, "one", "some words"), measured, 0.0)
begun_s = record.stream_start_s if kind != "upload" else ended_s - record.duration_s
last_s = begun_s + (record.messages[-1][0] if kind != "upload" else record.total_s)
print(json.dumps([record.outcome, record.error, record.stamp, record.arrival_late_s, last_s]))
"""


class StoppedCaller:
    """A caller in a process of its own, which is stopped while its answer is sent."""

    def __init__(self, kind: str, url: str, has_stamps: bool) -> None:
        line = [sys.executable, "-c", _CALLER, kind, url, "yes" if has_stamps else "no"]
        self._process = subprocess.Popen(line, stdout=subprocess.PIPE, text=True)

    def send_while_stopped(self, caller: Caller, answer: bytes) -> float:
        """Sends while it is stopped, and lets it go on `STOPPED_S` later. Gives the moment when all was sent."""
        os.kill(self._process.pid, signal.SIGSTOP)
        deadline_s = time.monotonic() + DEADLINE_S
        while "T" not in Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()[0]:
            assert time.monotonic() < deadline_s, "it can't be stopped"
        caller.send(answer)
        sent_s = time.monotonic()
        while time.monotonic() < sent_s + STOPPED_S:
            pass
        os.kill(self._process.pid, signal.SIGCONT)
        return sent_s

    def result(self) -> list[object]:
        printed, _ = self._process.communicate(timeout=3 * DEADLINE_S)
        found: list[object] = json.loads(printed)
        return found

    def end(self) -> None:
        self._process.kill()
        self._process.communicate()


@dataclass(frozen=True)
class Arrival:
    """How the caller timed its answer. `at_s`: seconds after the answer was sent."""

    stamp: str
    late_s: float | None
    at_s: float


def answer_while_stopped(kind: str, is_tls: bool, has_stamps: bool) -> Arrival:
    """One utterance whose answer is sent while its caller is stopped."""
    sent_s: list[float] = []

    def stream(caller: Caller) -> None:
        caller.upgrade()
        n_texts = 0
        while n_texts < 2:  # the configuration is the first text, the end of the stream the second
            n_texts += caller.read_frame()[0] == TEXT
        text = frame(TEXT, json.dumps({"text": "some words"}).encode())
        sent_s.append(stopped.send_while_stopped(caller, text + close_frame(1000)))
        caller.wait_for_end()

    def upload(caller: Caller) -> None:
        head = caller.read_request()
        length = int(next(line.split(": ")[1] for line in head.split("\r\n") if line.startswith("Content-Length")))
        caller.take(length)
        body = b'{"text": "some words"}'
        answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
        sent_s.append(stopped.send_while_stopped(caller, answer))
        caller.wait_for_end()

    with raw_server(upload if kind == "upload" else stream, is_tls) as server:
        url = server.url.replace("ws", "http", 1) if kind == "upload" else server.url
        stopped = StoppedCaller(kind, url, has_stamps)
        try:
            outcome, error, stamp, late_s, last_s = stopped.result()
        finally:
            stopped.end()
    assert (outcome, error) == ("ok", None)
    assert isinstance(last_s, float) and isinstance(stamp, str) and isinstance(late_s, float | None)
    return Arrival(stamp, late_s, last_s - sent_s[0])


@pytest.mark.parametrize("kind", ["probe", "stream", "upload"])
@pytest.mark.parametrize("is_tls", [True, False], ids=["TLS", "plain"])
def test_an_answer_that_arrives_while_its_caller_is_stopped_has_the_time_of_its_arrival(
    kind: str, is_tls: bool
) -> None:
    arrival = answer_while_stopped(kind, is_tls, has_stamps=True)
    assert (arrival.stamp, arrival.late_s) == ("kernel", None)
    assert arrival.at_s < STOPPED_S / 2


@pytest.mark.parametrize("kind", ["probe", "stream", "upload"])
def test_where_the_kernel_does_not_stamp_it_is_said_how_late_the_answer_may_be(kind: str) -> None:
    arrival = answer_while_stopped(kind, is_tls=True, has_stamps=False)
    assert arrival.stamp == "read"
    assert arrival.at_s >= STOPPED_S
    assert arrival.late_s is not None and arrival.late_s >= arrival.at_s - 0.001
