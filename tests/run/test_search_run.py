"""A whole search of a single process, from its first trial to its report. Greenlets and files are real, the server is
scripted: it refuses every caller as soon as there are more than it holds."""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gevent
import pytest
from scripted_callers import CLIPS, Callers, ScriptedAttempt, ScriptedWorkload

from stt_load.audio.clip import Clip
from stt_load.errors import ExitCode, Outcome
from stt_load.options import PlanKind
from stt_load.report.capacity_wording import headline
from stt_load.report.report_files import read_report
from stt_load.run.plan import Phase, StagedPlan
from stt_load.run.run import Run
from stt_load.run.search_stages import LEAST_TO_COMPARE
from stt_load.run.single_process import SingleProcess
from stt_load.workloads.workload import Caller

OPTIONS = {
    "dialect": "vosk",
    "stt_url": "ws://127.0.0.1:9/",
    "pause": "1s",
    "settle": "0s",
    "hold": "50ms",
    "repeats": "1",
    "max": "4",
}


class Users:
    """The users that Locust has started, and those that somebody has asked for."""

    user_count = 0
    target_user_count: int | None = None


@dataclass
class FullWorkload(ScriptedWorkload):
    """The callers of a server that holds so many of them, and refuses the others."""

    users: type[Users] | Users = Users
    holds: int = 2

    def new_attempt(self, caller: Caller, clip: Clip, is_together: bool) -> ScriptedAttempt:
        self.at_once = Outcome.OK if self.users.user_count <= self.holds else Outcome.REFUSED
        return super().new_attempt(caller, clip, is_together)


class Search:
    """A search, its callers and the users that Locust would start for it."""

    def __init__(self, results: Path, **options: Any) -> None:
        raw: dict[str, Any] = {**OPTIONS, "slo": ["error_rate<1%"], "results": str(results), **options}
        self.callers, self.users = Callers(**raw), Users()
        self.callers.pool._workload = FullWorkload(users=self.users)
        self.callers.pool._sleep = lambda _: gevent.sleep(0.01)  # a pause, or nobody else would have a turn
        self.callers.pool._own_cpu_pct = lambda: None  # type: ignore[method-assign]
        cluster = SingleProcess(self.callers.pool, self.users, "w0")
        self.run = Run("run", self.callers.pool.config, CLIPS, cluster, raw, PlanKind.SEARCH, self._on_failure)

    def _on_failure(self) -> None:
        raise AssertionError(self.run.failure)

    def go_on(self) -> None:
        """Locust looks at what the shape wants."""
        wanted = self.run.users
        if wanted is not None and wanted != self.users.user_count:
            for caller in range(wanted, self.users.user_count):
                self.callers.leave(caller)
            del self.callers._greenlets[wanted:]
            self.callers.come(max(0, wanted - self.users.user_count))
            self.users.user_count = wanted
        gevent.sleep(0.01)

    def close(self) -> ExitCode:
        self.run.drain()
        return self.run.close()


@pytest.fixture
def search(tmp_path: Path) -> Iterator[Search]:
    made = Search(tmp_path / "results")
    with gevent.Timeout(120):
        yield made
    made.run.controller.stop_leading()
    gevent.killall(made.callers._greenlets)
    gc.unfreeze()


def test_a_search_finds_how_many_callers_a_server_holds(search: Search, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    search.run.start()
    while search.run.users is not None:
        search.go_on()
    assert search.close() is ExitCode.FINE
    folder = search.run.folder.path
    lines = [json.loads(line) for line in (folder / "stages.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["users"] for line in lines if line["phase"] == "ramp"] == [1, 2, 4, 3]
    assert any(line["reason"].endswith("utterances are beyond the bound of error_rate<1%") for line in lines)
    report = read_report(folder)
    assert headline(report).startswith("holds 2 callers (2–2) at error_rate < 1%: 2 passed 1 of 1, 3 failed 1 of 1")
    assert "limited by errors, cliff between 2 and 3" in headline(report)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert (run["plan"], run["concurrency"]) == ("search", [])
    assert run["search"] == {"first": 1, "most": 4, "within_ratio": 0.05, "repeats": 1}
    told = [message for message in caplog.messages if message.startswith("trial")]
    assert told[1] == "trial 2: 2 callers: pass*, error_rate 0.0 %; next 4"


def test_a_search_that_is_ended_early_tells_what_is_known(search: Search) -> None:
    search.run.start()
    while search.run.controller.update.stage < 2 or search.run.controller.update.phase is not Phase.HOLD:
        search.go_on()
    search.run.abort()
    assert search.close() is ExitCode.ABORTED
    answer = headline(read_report(search.run.folder.path))
    assert answer.startswith("holds at least 2 callers at error_rate < 1%: 2 passed 1 of 1")
    assert answer.endswith("the search ended early, after 2 trials")


@pytest.mark.parametrize(
    ("slo", "given", "least"),
    [("error_rate<1%", "1", 1), ("wer_delta<5%", "1", LEAST_TO_COMPARE), ("wer_delta<5%", "40", 40)],
)
def test_trials_that_are_compared_have_utterances_enough_for_it(
    slo: str, given: str, least: int, tmp_path: Path
) -> None:
    made = Search(tmp_path / "results", slo=[slo], at_least=given)
    plan = made.run.controller.plan
    assert isinstance(plan, StagedPlan)
    assert plan.timing.at_least == least
    made.close()
