"""What a reader must be warned of, in blocks of lines: console and Markdown print the same."""

from __future__ import annotations

from dataclasses import dataclass

from stt_load.report.model import RunReport
from stt_load.report.table import stray_text, validity_lines
from stt_load.report.wording import at_callers, judged, names_of


@dataclass(frozen=True, slots=True)
class WarningBlock:
    """Some lines under a heading. `is_of_server`: they are about the server, else about the measurement."""

    heading: str
    lines: tuple[str, ...]
    is_of_server: bool


def warning_blocks(report: RunReport) -> list[WarningBlock]:
    """The blocks that have any line."""
    names = names_of(report.stages)
    missed = tuple(
        f"{at_callers([names[stage.figures.stage]], report.kind)}: {judged(result)}"
        for stage in report.stages
        for result in stage.missed
    )
    blocks = [
        *(WarningBlock(heading, (line,), is_of_server=True) for heading, line in stray_text(report)),
        WarningBlock("Not valid", tuple(validity_lines(report)), is_of_server=False),
        WarningBlock("Objectives missed", missed, is_of_server=True),
    ]
    return [block for block in blocks if block.lines]
