"""The history as CSV, in the shape that change-point tools read: a row for each run, oldest first, with its time, what
it is called, and a column for each figure.

Apache Otava (https://otava.apache.org/docs, docs/CSV.md, 2026-11), formerly Hunter, takes `time` as `time_column`, any
text as an attribute, and every metric must be a number. Its `--branch` chooses the rows by the column `branch`, which
holds the series. Runs that prove nothing have no row, and what was not measured is an empty cell.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from datetime import UTC, datetime

from stt_load.history.figures import HELD, OF_STAGES
from stt_load.history.run_row import RunRow
from stt_load.history.series import Series
from stt_load.text.printable import printable

COLUMNS = ("time", "run", "branch", "label", "server", "machine", "version", HELD.column, "users")
_BEGINS_FORMULA = ("=", "+", "-", "@")


def history_csv(series: Sequence[Series]) -> str:
    """Writes the whole file as text. `users`: the callers at which the figures behind it were measured."""
    rows = [
        (
            run.started_at,
            (run.run_id, one.name, run.label, run.server, run.machine, run.version, run.holds, one.users),
            _metrics(run, one.users),
        )
        for one in series
        for run in one.runs
        if run.is_good and run.started_at is not None
    ]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow((*COLUMNS, *(figure.column for figure in OF_STAGES)))
    for started_at, told, metrics in sorted(rows, key=lambda row: row[0]):
        time = datetime.fromtimestamp(started_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        writer.writerow((time, *map(_cell, told), *metrics))
    return text.getvalue()


def _cell(value: str | int | None) -> str:
    """A text on one line. One that a spreadsheet would take for a formula has a quote in front (OWASP, "CSV Injection",
    2026-11): labels and names of servers are other people's."""
    text = "" if value is None else printable(str(value))
    return f"'{text}" if text.startswith(_BEGINS_FORMULA) else text


def _metrics(run: RunRow, users: int | None) -> list[str]:
    """One digit more than people read. What falls on a failed utterance is no number."""
    values = [figure.value(run, users) for figure in OF_STAGES]
    return [
        "" if value is None or math.isinf(value) else figure.number(value, more_digits=1)
        for figure, value in zip(OF_STAGES, values, strict=True)
    ]
