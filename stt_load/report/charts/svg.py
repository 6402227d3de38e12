"""SVG as text: elements, numbers, text that came from outside."""

from __future__ import annotations

from collections.abc import Iterable

from markupsafe import escape

from stt_load.text.printable import printable

Position = tuple[float, float]


def element(name: str, *content: str, **attributes: object) -> str:
    """One element. `content` is SVG. Attributes are escaped, `_` in their names is `-`, `kind` is the class, and
    one that is None is left out."""
    written = "".join(
        f' {"class" if key == "kind" else key.replace("_", "-")}="{_attribute(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def label(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    """A line of text. `anchor`: which end of it is at x."""
    return element("text", str(escape(printable(words))), x=x, y=y, kind=f"label {kind}".strip(), text_anchor=anchor)


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, kind=kind)


def polyline(points: Iterable[Position], kind: str) -> str:
    return element("path", d="M" + "L".join(f"{number(x)} {number(y)}" for x, y in points), kind=kind)


def dots(points: Iterable[Position], kind: str) -> str:
    """Many dots as one path: a line without length is a dot where its ends are round."""
    return element("path", d="".join(f"M{number(x)} {number(y)}h0" for x, y in points), kind=kind)


def crosses(points: Iterable[Position], kind: str, reach: float = 3.5) -> str:
    """Many crosses as one path."""
    arm, back = number(2 * reach), number(-2 * reach)
    return element(
        "path",
        d="".join(f"M{number(x - reach)} {number(y - reach)}l{arm} {arm}m{back} 0l{arm} {back}" for x, y in points),
        kind=kind,
    )


def number(value: float) -> str:
    """A position with a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def _attribute(value: object) -> str:
    return number(value) if isinstance(value, float) else str(escape(printable(str(value))))
