"""A comparison as one self-contained page, light or dark as the reader's system is. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from stt_load.comparison.compare import Comparison, FailOn
from stt_load.comparison.wording import (
    TITLE,
    box_table,
    changes,
    difference_lines,
    doubt_lines,
    header,
    ladder_table,
    names,
    notes,
    target_status,
    verdict,
    void_lines,
)
from stt_load.text.printable import printable

_templates = Environment(
    loader=PackageLoader("stt_load.comparison", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    finalize=lambda value: printable(value) if type(value) is str else value,
)


def comparison_html(comparison: Comparison, fail_on: Sequence[FailOn]) -> str:
    """Writes the whole page as text."""
    is_empty = comparison.reference is None
    word, tone = verdict(comparison, fail_on)
    return _templates.get_template("comparison.html").render(
        title=TITLE,
        names=names(comparison),
        verdict=word,
        tone=tone,
        changes=[] if is_empty else changes(comparison),
        voids=void_lines(comparison),
        doubts=doubt_lines(comparison),
        header=header(comparison),
        tables=[] if is_empty else list(filter(None, [box_table(comparison), ladder_table(comparison)])),
        status=target_status(comparison),
        differs=difference_lines(comparison) or ["nothing that was written down"],
        notes=notes(comparison),
    )
