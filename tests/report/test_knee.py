"""The knee and the exit code from rows of verdicts."""

from dataclasses import replace

import pytest
from made_run import made_run

from stt_load.errors import ExitCode
from stt_load.report.build import build_report
from stt_load.report.knee import exit_code, find_knee, ladder_verdict, run_verdict
from stt_load.report.model import RunReport, StageReport, Verdict

P, F, I, E = Verdict.PASS, Verdict.FAIL, Verdict.INVALID, Verdict.EMPTY  # noqa: E741


@pytest.fixture(scope="module")
def report() -> RunReport:
    made = made_run(ladder=(1,), per_stage=3)
    return build_report(made.run, made.transitions, [made.utterances])


def ladder(report: RunReport, *rungs: tuple[int, Verdict]) -> list[StageReport]:
    template = report.stages[0]
    return [
        replace(template, figures=replace(template.figures, users=users), verdict=verdict) for users, verdict in rungs
    ]


@pytest.mark.parametrize(
    ("rungs", "holds", "breaks", "code"),
    [
        (((1, P), (5, P)), 5, None, ExitCode.FINE),
        (((1, P), (5, F), (10, F)), 1, 5, ExitCode.SLO_MISSED),
        (((1, P), (5, F), (10, P)), 1, 5, ExitCode.SLO_MISSED),
        (((1, P), (5, F), (10, I)), 1, 5, ExitCode.SLO_MISSED),
        (((1, P), (5, I), (10, F)), 1, 5, ExitCode.NOT_BELIEVABLE),
        (((1, P), (5, E)), 1, 5, ExitCode.NOT_BELIEVABLE),
        (((1, F), (5, P)), None, 1, ExitCode.SLO_MISSED),
        (((10, F), (1, P), (5, P)), 5, 10, ExitCode.SLO_MISSED),
        (((5, P), (10, P), (5, F)), None, 5, ExitCode.SLO_MISSED),
    ],
)
def test_the_first_stage_from_below_that_does_not_pass_decides(
    report: RunReport,
    rungs: tuple[tuple[int, Verdict], ...],
    holds: int | None,
    breaks: int | None,
    code: ExitCode,
) -> None:
    stages = ladder(report, *rungs)
    knee = find_knee(stages)
    assert (knee.holds and knee.holds.users, knee.breaks and knee.breaks.users) == (holds, breaks)
    verdict = run_verdict(stages, ladder_verdict(knee), is_finished=True, is_aborted=False)
    assert exit_code(replace(report, verdict=verdict)) is code


@pytest.mark.parametrize(
    ("is_finished", "is_aborted", "has_failed", "code"),
    [
        (True, True, False, ExitCode.ABORTED),
        (False, False, False, ExitCode.NOT_BELIEVABLE),
        (True, True, True, ExitCode.FAILED),
    ],
)
def test_how_the_run_ended_comes_before_what_its_stages_say(
    report: RunReport, is_finished: bool, is_aborted: bool, has_failed: bool, code: ExitCode
) -> None:
    stages = ladder(report, (1, P), (5, F))
    found = ladder_verdict(find_knee(stages))
    verdict = run_verdict(stages, found, is_finished=is_finished, is_aborted=is_aborted, has_failed=has_failed)
    assert exit_code(replace(report, verdict=verdict)) is code
