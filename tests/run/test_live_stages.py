"""Stages while the run goes on: the current one by its counts, those that have ended as the report has them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from made_run import made_run
from msgspec.structs import replace

from stt_load.errors import ConfigError, Outcome
from stt_load.metrics.failures import Failure
from stt_load.records import UtteranceRecord
from stt_load.report.model import RunReport
from stt_load.report.report_files import read_report
from stt_load.run.live_stages import LiveStages
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate

UPDATE = StageUpdate("run", 1, 0, Phase.HOLD, 5, ("w0",))


@pytest.fixture(autouse=True)
def deadline() -> Iterator[None]:
    with gevent.Timeout(60):
        yield


def row(outcome: Outcome = Outcome.OK, stage: int = 0, **more: Any) -> UtteranceRecord:
    given: dict[str, Any] = {"frames": 10, "outcome": outcome, **more}
    return UtteranceRecord("run", 0, 0, stage, "hold", 5, "a", "one two three four", **given)


def wait_until_read(live: LiveStages, stage: int) -> None:
    while not live.is_read(stage):
        gevent.sleep(0.005)


def test_the_stage_that_is_on_is_told_by_its_counts(tmp_path: Path) -> None:
    live = LiveStages(tmp_path)
    live.announce(UPDATE)
    for latency_s in (0.3, 0.1, 0.2):
        live.add(row(eos_latency_s=latency_s, substitutions=1, deletions=0, insertions=0, reference_words=4))
    live.add(row(Outcome.REFUSED, refusal="full", error="503 Service Unavailable"))
    live.add(row(Outcome.SERVER_ERROR, error="out of memory", frames_late=4))
    live.add(row(Outcome.INTERRUPTED))
    live.add(row(eos_latency_s=0.4))  # not scored yet
    live.add(row(stage=1))
    now = live.current
    assert (now.stage, now.users, now.ended, now.ok, now.errors) == (0, 5, 7, 4, 2)
    assert list(now.headline.values) == [0.1, 0.2, 0.3, 0.4]
    told = {(failure.outcome, failure.message): failure.n for failure in now.failures}
    assert told == {("refused", "503 Service Unavailable"): 1, ("server_error", "out of memory"): 1}
    assert (now.wer, now.late_frames) == (3 / 12, 4 / 70)
    assert live.live(1).ended == 1


def test_latencies_are_those_of_the_newest_utterances(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stt_load.run.live_stages.NEWEST", 10)
    live = LiveStages(tmp_path)
    for n in range(100):
        live.add(row(eos_latency_s=float(n)))
    assert live.current.ok == 100
    assert (live.current.headline.max, live.current.headline.n) == (99.0, 20)
    assert live.current.headline.min == 80.0


def test_nothing_has_no_rate(tmp_path: Path) -> None:
    now = LiveStages(tmp_path).current
    assert (now.ended, now.wer, now.late_frames, now.headline.at(0.5)) == (0, None, None, None)


def test_failures_of_one_kind_are_one_reason_as_in_the_report(tmp_path: Path) -> None:
    live = LiveStages(tmp_path)
    for n in range(100):
        live.add(row(Outcome.SERVER_ERROR, error=f"request {n} failed"))
    assert live.current.failures == (Failure("server_error", "request … failed", 100),)


def test_a_stage_that_has_ended_is_what_the_report_says_of_it(tmp_path: Path) -> None:
    folder = made_run().write(tmp_path / "run")
    live = LiveStages(folder)
    live.announce(UPDATE)
    assert live.judged(0) is None
    live.announce(replace(UPDATE, seq=2, phase=Phase.SETTLE))
    assert not live.is_read(0)
    wait_until_read(live, 0)
    stage = live.judged(0)
    expected = read_report(folder).stages[0]
    assert stage is not None
    assert (stage.verdict, stage.figures.n, stage.slos) == (expected.verdict, expected.figures.n, expected.slos)


def test_a_stage_whose_lines_wait_for_room_on_the_disk_is_judged_once_they_are_written(tmp_path: Path) -> None:
    """It cost a search a trial: what is not in the file yet looks like damage."""
    written: list[Path] = []
    looked = 0

    def is_written() -> bool:
        nonlocal looked
        looked += 1
        if looked == 3:
            written.append(made_run().write(tmp_path / "run"))
        return bool(written)

    live = LiveStages(tmp_path / "run", is_written)
    live.announce(replace(UPDATE, phase=Phase.SETTLE))
    wait_until_read(live, 0)
    assert looked == 3
    assert live.judged(0) is not None


@pytest.mark.parametrize(("mib", "is_read"), [(1, True), (9, False)])
def test_without_a_settle_a_stage_is_read_only_while_the_files_are_small(
    tmp_path: Path, mib: int, is_read: bool
) -> None:
    with (tmp_path / "utterances.jsonl").open("wb") as file:
        file.truncate(mib * 2**20)
    read: list[Path] = []

    def reads(folder: Path) -> RunReport:
        read.append(folder)
        raise ConfigError("it is not read in this test")

    live = LiveStages(tmp_path, read=reads)
    live.announce(UPDATE)
    live.announce(replace(UPDATE, seq=2, stage=1, phase=Phase.RAMP))
    wait_until_read(live, 0)
    assert bool(read) is is_read


def test_a_report_that_cannot_be_made_holds_up_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = LiveStages(tmp_path)  # an empty folder
    live.announce(replace(UPDATE, phase=Phase.SETTLE))
    wait_until_read(live, 0)
    assert live.judged(0) is None
    assert "stage 1 can't be judged while the run goes on" in caplog.text
