"""A load worker without callers: speaks Locust's worker protocol, and hands over rows made beforehand.

Started by `master_rows.py`, one process each. A master hears everything of it that it hears of a real worker:
heartbeats, spawning, Locust's own statistics, our reports once a second, the last rows at the end. What it saw of
the master goes to standard output as one JSON line: rows sent, and how long an answer to a heartbeat took.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import socket
import time
from typing import Any

import gevent
import msgspec
from locust import __version__
from locust.rpc import Message
from locust.stats import RequestStats
from made_rows import WRONG, made_row, make_transcript, references, unknown_word

from stt_load.kinds import STREAM
from stt_load.locust_plugin.cluster.joining import Joining
from stt_load.locust_plugin.cluster.messages import (
    DRAIN,
    DRAINED,
    HELLO,
    REPORT_KEY,
    UPDATE,
    UPDATE_OPTION,
)
from stt_load.locust_plugin.cluster.shared_token import shared_token, token_file
from stt_load.locust_plugin.cluster.sockets import Keys, WorkerSocket
from stt_load.locust_plugin.local_pool import REQUEST_TYPE
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import ReportMessage, WorkerReport

_TEMPLATES = 1_000
_HEARTBEAT_S = 0.25  # Locust's own is 1 s: more of them, to see how late the master is
_WORKERS_AT_MOST = 64  # so that no two of them say the same strange word


class RowMaker:
    """Rows that only have to be filled in: who, when and, in every tenth, a word that nobody has said before."""

    def __init__(self, seed: int) -> None:
        rng = random.Random(seed)
        clips = list(references().items())
        self._seed = seed
        self._templates = [self._template(rng, rng.choice(clips), rng.random() < WRONG) for _ in range(_TEMPLATES)]
        self.made = 0

    def _template(self, rng: random.Random, clip: tuple[str, str], is_wrong: bool) -> tuple[bytes, int]:
        """Bytes for `%`, and the latency for Locust's tables."""
        wrong = "@word@" if is_wrong else None
        row = made_row(
            rng,
            clip,
            make_transcript(clip[1], wrong, rng),
            run_id="@run@",
            worker=self._seed,
            user=987654321,
            stage=987654322,
            phase="@phase@",
            users=987654323,
            started_at=987654324.5,
        )
        line = row.to_json()
        for mark, place in (
            (b"987654321", b"%(user)d"),
            (b"987654322", b"%(stage)d"),
            (b"987654323", b"%(users)d"),
            (b"987654324.5", b"%(t)f"),
            (b"@phase@", b"%(phase)b"),
            (b"@run@", b"%(run)b"),
            (b"@word@", b"%(word)b"),
        ):
            line = line.replace(mark, place)
        return line, round(1_000 * (row.eos_latency_s or 0.0))

    def make(self, n: int, update: StageUpdate, stats: RequestStats) -> list[bytes]:
        name = STREAM.request_name
        common = {
            b"run": update.run_id.encode(),
            b"stage": update.stage,
            b"users": update.users,
            b"phase": str(update.phase).encode(),
            b"t": time.time() - 7.6,
        }
        lines = []
        for _ in range(n):
            template, latency_ms = self._templates[self.made % _TEMPLATES]
            word = unknown_word(self.made * _WORKERS_AT_MOST + self._seed).encode()
            lines.append(template % {**common, b"user": self.made, b"word": word})
            stats.log_request(REQUEST_TYPE, name, latency_ms, 0)
            self.made += 1
        return lines


class SimulatedWorker:
    def __init__(self, options: argparse.Namespace) -> None:
        self._name = f"{socket.gethostname()}_simulated{options.index}"
        keys = Keys(shared_token(os.environ, token_file()))
        self._client = WorkerSocket("127.0.0.1", options.port, self._name, keys, Joining(LoadedClips()))
        self._token = ""
        self._rows_per_s = options.rows_per_s
        self._maker = RowMaker(options.index)
        self._stats = RequestStats()
        self._worker_report = WorkerReport("")
        self._users = 0
        self._classes: dict[str, int] = {}
        self._state = "ready"
        self._owed_since_s = time.monotonic()
        self._asked_s: list[float] = []
        self.answers_s: list[float] = []  # in the hold
        self.other_answers_s: list[float] = []
        self.rows = 0

    def run(self) -> None:
        """Until the master says quit."""
        self._send("client_ready", __version__)
        others = [gevent.spawn(self._beat), gevent.spawn(self._report)]
        while True:
            message = self._client.recv()
            if message.type == "quit":
                break
            self._hear(message)
        gevent.killall(others)
        self._send("quit", None)
        gevent.sleep(0.2)

    def _hear(self, message: Message) -> None:
        match message.type:
            case "ack":
                self._send(HELLO, {"user_classes": ["Caller"]})
            case "heartbeat" if self._asked_s:
                (self.answers_s if self._is_in(Phase.HOLD) else self.other_answers_s).append(
                    time.monotonic() - self._asked_s.pop(0)
                )
            case "spawn":
                self._send("spawning", None)
                self._classes = message.data["user_classes_count"]
                self._users = sum(self._classes.values())
                self._apply(**message.data["parsed_options"].get(UPDATE_OPTION, {}))
                self._state = "running"
                self._send("spawning_complete", {"user_classes_count": self._classes, "user_count": self._users})
            case name if name == UPDATE:
                self._apply(**message.data)
            case name if name == DRAIN:
                self._make_rows()
                self._users = 0
                self._send(DRAINED, {REPORT_KEY: self._take(), "token": self._token})
            case "stop":
                self._users, self._classes, self._state = 0, dict.fromkeys(self._classes, 0), "ready"
                self._send("client_stopped", None)
                self._send("client_ready", __version__)

    def _apply(self, update: str | None = None, token: str = "", **_: Any) -> None:
        if update is None:
            return
        self._follow(StageUpdate.from_json(update))
        self._token = token

    def _follow(self, update: StageUpdate) -> None:
        self._make_rows()
        if update.run_id != self._worker_report.run_id:
            self._worker_report = WorkerReport(update.run_id)
        self._worker_report.apply(update)

    def _is_in(self, *phases: Phase) -> bool:
        update = self._worker_report.update
        return update is not None and update.phase in phases

    def _make_rows(self) -> None:
        """What this worker's callers have ended since the last time. Only the hold has rows, so that all count."""
        now_s, report = time.monotonic(), self._worker_report
        elapsed_s, self._owed_since_s = now_s - self._owed_since_s, now_s
        if report.update is None or report.update.phase is not Phase.HOLD:
            return
        lines = self._maker.make(round(elapsed_s * self._rows_per_s), report.update, self._stats)
        report._rows.extend((line, _CLIP_IDS[0]) for line in lines)
        report._begun[report.update.stage] += len(lines)
        report.total += len(lines)
        self.rows += len(lines)

    def _take(self) -> dict[str, Any]:
        message = self._worker_report.take(50.0, time.monotonic())
        busy = {"speaking": self._users} if self._is_in(Phase.RAMP, Phase.HOLD) else {}
        snapshot = msgspec.structs.replace(
            message.snapshot,
            speaking=self._users,
            caller_states=busy,
            in_flight=sum(busy.values()),
            clips=frozenset(_CLIP_IDS),
        )
        return ReportMessage(snapshot, message.rows, self._token).to_plain()

    def _report(self) -> None:
        while True:
            self._make_rows()
            data = {
                "stats": self._stats.serialize_stats(),
                "stats_total": self._stats.total.get_stripped_report(),
                "errors": self._stats.serialize_errors(),
                "user_classes_count": self._classes,
                "user_count": self._users,
                REPORT_KEY: self._take(),
            }
            self._send("stats", data)
            gevent.sleep(1.0)

    def _beat(self) -> None:
        while True:
            self._asked_s.append(time.monotonic())
            data = {"state": self._state, "current_cpu_usage": 50.0, "current_memory_usage": 0}
            self._send("heartbeat", data)
            gevent.sleep(_HEARTBEAT_S)

    def _send(self, name: str, data: object) -> None:
        self._client.send(Message(name, data, self._name))


_CLIP_IDS = list(references())


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--index", type=int, required=True)
    parser.add_argument("--rows-per-s", type=float, required=True)
    worker = SimulatedWorker(parser.parse_args())
    worker.run()
    told = {"rows": worker.rows, "answers_s": worker.answers_s, "other_answers_s": worker.other_answers_s}
    print(json.dumps(told))
