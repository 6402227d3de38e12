"""The table "Why callers failed", as text cells: stage, outcome, message, how many, and what to do.

Every form of the report prints it. It is empty where nobody failed.
"""

from __future__ import annotations

from stt_load.metrics.failures import Failure
from stt_load.metrics.figures import NOTHING
from stt_load.report.model import RunReport, StageReport
from stt_load.report.wording import names_of

FAILURES_TITLE = "Why callers failed"
FAILURE_HEADINGS = ("Conc", "outcome", "failed", "message", "what to do")
_AS_ABOVE = "as above"


def failure_rows(report: RunReport) -> list[tuple[str, ...]]:
    """One row of text cells for each stage, outcome and message, in the order of `FAILURE_HEADINGS`. Advice that an
    earlier row has given is not given again."""
    names = names_of(report.stages)
    given: set[str] = set()
    rows: list[tuple[str, ...]] = []
    for stage in report.stages:
        for failure in stage.figures.failures:
            advice = _AS_ABOVE if failure.advice in given else failure.advice or NOTHING
            given.update(filter(None, [failure.advice]))
            rows.append(
                (
                    names[stage.figures.stage],
                    failure.outcome,
                    how_many(failure, stage),
                    failure.message or NOTHING,
                    advice,
                )
            )
    return rows


def how_many(failure: Failure, stage: StageReport) -> str:
    """How many of the utterances of the stage failed so: `40 of 48`."""
    return f"{failure.n} of {stage.figures.n}"


def failure_line(failure: Failure, stage: StageReport) -> str:
    """The same as one line of text: `refused, 40 of 48: HTTP 503 at the upgrade: full (raise its limit)`."""
    message = f": {failure.message}" if failure.message else ""
    advice = f" ({failure.advice})" if failure.advice else ""
    return f"{failure.outcome}, {how_many(failure, stage)}{message}{advice}"
