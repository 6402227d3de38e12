"""The templates of our pages: each is one file, light or dark as the reader's system is. No script, nothing fetched."""

from __future__ import annotations

import re

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from stt_load.report.charts.chart import HATCH
from stt_load.report.charts.palette import palette_css
from stt_load.text.printable import printable

# Words that a narrow page would break at their dashes.
_WHOLE_WORD = re.compile(r"(?<![\w-])(?:--[a-z][a-z0-9-]*|(?:stt-load|gpu-sidecar)(?![\w-]))")


def unbroken(text: object) -> Markup:
    """The text for a page on which no line ends within the name of an option or a command."""
    return Markup(_WHOLE_WORD.sub(lambda word: f'<span class="word">{word[0]}</span>', escape(printable(str(text)))))


def page_templates(*packages: str) -> Environment:
    """Templates of pages, of some packages and of this one, which has `layout.html` and the style sheets. What came
    from outside is text in them, and commands no terminal."""
    templates = Environment(
        loader=ChoiceLoader([PackageLoader(package) for package in (*packages, "stt_load.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # a Markup is a str of ours
    )
    templates.filters["unbroken"] = unbroken
    templates.globals.update(palette=Markup(palette_css()), hatch=Markup(HATCH))
    return templates
