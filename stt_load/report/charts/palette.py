"""The colours of pages and charts, by name: what a `var(--name)` stands for, on light paper and on dark.

The first three are blue, orange and purple of about the same lightness as Okabe and Ito's palette (2008), which readers
who can't tell red from green can tell apart; a chart never tells anything by a colour alone. Every one that text is
written in has a contrast of 4.5 or more against `card` and `page` (WCAG 2.2, 1.4.3).
"""

from __future__ import annotations

import re

PALETTE: dict[str, tuple[str, str]] = {
    "page": ("#f5f6f8", "#0f141b"),
    "card": ("#ffffff", "#171e28"),
    "ink": ("#1b2430", "#e8ebf0"),
    "faint": ("#556070", "#a3aebd"),
    "line": ("#dfe3e8", "#2d3745"),
    "first": ("#0b62a8", "#6cb6f5"),
    "second": ("#a84a08", "#f5a35c"),
    "third": ("#7c3f94", "#d99be0"),
    "pass": ("#1a7f37", "#56d364"),
    "fail": ("#c0241b", "#ff8078"),
    "invalid": ("#8a5a00", "#e3b341"),
}

_VARIABLE = re.compile(r"var\(--([a-z]+)\)")


def palette_css() -> str:
    """The variables of a page: light, dark where the reader's system is, and light again on paper."""
    light, dark = (" ".join(f"--{name}: {colours[place]};" for name, colours in PALETTE.items()) for place in (0, 1))
    return (
        f":root {{ color-scheme: light dark; {light} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark} }} }}\n"
    )


def on_light_paper(css: str) -> str:
    """A style sheet with the light colours in place of its variables, for what can't resolve them."""
    return _VARIABLE.sub(lambda variable: PALETTE[variable[1]][0], css)
