"""The tables of a run that is no plain ladder, as every form of the report prints them: after its answer."""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.report.drift_wording import drift_table
from stt_load.report.given_back import given_back_table
from stt_load.report.model import RunReport
from stt_load.report.recovery_wording import recovery_table
from stt_load.report.text_table import TextTable


@dataclass(frozen=True, slots=True)
class TitledTable:
    title: str
    table: TextTable


def course_tables(report: RunReport) -> tuple[TitledTable, ...]:
    """Those that the run has; none for a ladder or a search."""
    tables = (
        ("After the spike", recovery_table(report)),
        ("What the server gives back", given_back_table(report)),
        ("Drift", drift_table(report)),
    )
    return tuple(TitledTable(title, table) for title, table in tables if table is not None)
