"""From which number of client threads on is a server held back? From made-up ladders of uploads."""

from __future__ import annotations

import pytest
from made_run import MadeRun, made_run, made_uploads
from made_samples import sidecar_entry
from msgspec.structs import replace

from stt_load.errors import ConfigError, ExitCode
from stt_load.report.build import build_report
from stt_load.report.model import RunReport
from stt_load.sizing.document import markdown
from stt_load.sizing.replica import Unusable
from stt_load.sizing.stress import Status, exit_code_of, stress_data, stress_document, stress_rows


def report_of(made: MadeRun) -> RunReport:
    return build_report(made.run, made.transitions, [made.utterances], made.samples)


def ladder(*factors: float, held_back_pct: float | None = None) -> MadeRun:
    """1, 2, 3 … threads, whose requests take so many times half a second."""
    made = made_uploads(tuple(range(1, len(factors) + 1)), per_stage=20)
    made.utterances = [replace(record, total_s=0.5 * factors[record.stage]) for record in made.utterances]
    made.run["slos"] = ["error_rate<50%"]
    if held_back_pct is not None:
        made.host = made_run(tuple(range(1, len(factors) + 1)), per_stage=20, gpu=False, host=True).host
        made.run["sidecars"] = [sidecar_entry()]
        for row in made.host:
            if row["kind"] == "process":
                row |= {"cpu_limit_cores": 1.0, "cpu_throttled_pct": held_back_pct if row["stage"] else 0.0}
    return made


@pytest.mark.parametrize(
    ("factors", "statuses"),
    [
        pytest.param((1, 1.1, 1.9), "ok ok ok", id="cores are left"),
        pytest.param((1, 2.0, 2.0), "ok ok ok", id="twice as long is not more than twice"),
        pytest.param((1, 1.5, 2.1), "ok ok throttling_detected", id="the third thread is too many"),
        pytest.param((1, 2.5, 1.2), "ok throttling_detected ok", id="one that was slow in between"),
        pytest.param((3, 1, 1), "ok ok ok", id="a slow first is no measure of the others"),
    ],
)
def test_more_than_twice_as_long_as_the_first_is_throttling(factors: tuple[float, ...], statuses: str) -> None:
    rows = stress_rows(report_of(ladder(*factors)))
    assert " ".join(row.status for row in rows) == statuses
    assert exit_code_of(rows) == (ExitCode.SLO_MISSED if "throttling" in statuses else ExitCode.FINE)


def test_the_kernels_count_tells_a_limit_from_requests_that_wait_for_each_other() -> None:
    stopped, waiting = ladder(1, 3, held_back_pct=80.0), ladder(1, 3, held_back_pct=0.0)
    texts = [markdown(stress_document(report_of(made), stress_rows(report_of(made)))) for made in (stopped, waiting)]
    assert "2 threads: the limit stopped it" in texts[0]
    assert "| 80 % | throttling_detected |" in texts[0]
    assert "2 threads: the limit did not stop it, so requests wait for each other" in texts[1]


def test_without_a_sidecar_it_says_that_the_reason_is_not_known() -> None:
    report = report_of(ladder(1, 3))
    assert "held back: not known" in markdown(stress_document(report, stress_rows(report)))


def test_a_stage_that_is_not_valid_is_no_ok() -> None:
    made = ladder(1, 1.2)
    made.utterances = [replace(r, outcome="interrupted", total_s=None) if r.stage else r for r in made.utterances]
    rows = stress_rows(report_of(made))
    assert [row.status for row in rows] == [Status.OK, Status.INVALID]
    assert exit_code_of(rows) == ExitCode.NOT_BELIEVABLE


def test_the_data_has_the_seeds_flag() -> None:
    report = report_of(ladder(1, 3))
    data = stress_data(report, stress_rows(report))
    assert data["throttling_detected"] is True
    assert [(row["threads"], row["status"]) for row in data["rows"]] == [(1, "ok"), (2, "throttling_detected")]


def test_callers_who_speak_are_no_threads() -> None:
    with pytest.raises(ConfigError, match="stress is for uploads"):
        stress_rows(report_of(made_run((1,))))


def test_a_first_stage_that_is_not_valid_leaves_nothing_to_hold_against() -> None:
    made = ladder(1, 3)
    made.utterances = [r if r.stage else replace(r, outcome="interrupted", total_s=None) for r in made.utterances]
    with pytest.raises(Unusable, match="the first number of threads"):
        stress_rows(report_of(made))
