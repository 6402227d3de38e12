"""A comparison as one self-contained page, light or dark as the reader's system is. No script, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence

from stt_load.comparison.compare import Comparison, FailOn
from stt_load.comparison.wording import TITLE, in_words
from stt_load.report.page_templates import page_templates

_templates = page_templates("stt_load.comparison")


def comparison_html(comparison: Comparison, fail_on: Sequence[FailOn]) -> str:
    """Writes the whole page as text."""
    return _templates.get_template("comparison.html").render(
        title=TITLE, names=comparison.names, told=in_words(comparison, fail_on)
    )
