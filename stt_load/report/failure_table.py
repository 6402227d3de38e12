"""The table "Why callers failed", as text cells: stage, outcome, message, how many, and what to do.

Every form of the report prints it, and the web UI while the run goes on. It is empty where nobody failed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stt_load.metrics.failures import Failure
from stt_load.metrics.figures import NOTHING
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import names_of, stage_heading

FAILURES_TITLE = "Why callers failed"
_HEADINGS = ("outcome", "failed", "message", "what to do")  # behind that of the stages
_AS_ABOVE = "as above"


StageFailures = tuple[str, int, Sequence[Failure]]
"""The name of a stage, how many utterances of it count, and why some of them failed."""


def failure_headings(is_open_loop: bool) -> tuple[str, ...]:
    """The headings of the table: a run with calls has them in place of callers."""
    return (stage_heading(is_open_loop), *_HEADINGS)


def failure_rows(report: RunReport) -> list[tuple[str, ...]]:
    """The rows of all stages of a report."""
    return failure_rows_of(stage_failures(report.stages))


def stage_failures(stages: Sequence[StageReport]) -> list[StageFailures]:
    names = names_of(stages)
    return [(names[stage.figures.stage], stage.figures.n, stage.figures.failures) for stage in stages]


def failure_rows_of(stages: Iterable[StageFailures]) -> list[tuple[str, ...]]:
    """One row of text cells for each stage, outcome and message, in the order of `failure_headings`. Advice that an
    earlier row has given is not given again."""
    given: set[str] = set()
    rows: list[tuple[str, ...]] = []
    for name, n, failures in stages:
        for failure in failures:
            advice = _AS_ABOVE if failure.advice in given else failure.advice or NOTHING
            given.update(filter(None, [failure.advice]))
            rows.append((name, failure.outcome, f"{failure.n} of {n}", failure.message or NOTHING, advice))
    return rows


def failure_line(failure: Failure, n: int) -> str:
    """The same as one line of text: `refused, 40 of 48: HTTP 503 at the upgrade: full (raise its limit)`. `n`: the
    counted utterances of the stage."""
    message = f": {failure.message}" if failure.message else ""
    advice = f" ({failure.advice})" if failure.advice else ""
    return f"{failure.outcome}, {failure.n} of {n}{message}{advice}"
