"""`stt-load dialects`: what it can speak."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

import click

from stt_load.kinds import KINDS, LoadKind, dialect_names, kind_of

_WIDTH = 110


@click.command()
@click.argument("name", required=False, type=click.Choice(dialect_names()), metavar="[NAME]")
def command(name: str | None) -> None:
    """What stt-load can speak; with NAME, what it knows of that server and the options it takes."""
    if name is not None:
        kind = kind_of(name)
        lines = list(_describe(kind, kind.dialect_rows()[name]))
    else:
        lines = [line for kind in KINDS.values() for line in ("", kind.title, *_list(kind.dialect_rows().values()))][1:]
    for line in lines:
        click.echo(line)


def _list(rows: Iterable[Any]) -> Iterator[str]:
    lines = [(f"  {row.name}", row.default_url, row.summary) for row in rows]
    widths = [max(len(text) for text in column) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [text.ljust(width) for text, width in zip(line, widths, strict=True)]
        yield "  ".join(cells).rstrip()


def _describe(kind: LoadKind, row: Any) -> Iterator[str]:
    facts = {
        "summary": row.summary,
        "default URL": row.default_url,
        **row.facts(),
        "API key": f"from {kind.key_variable}" if row.takes_key else "none",
    }
    for label, fact in facts.items():
        yield from _fold(label, fact)
    if row.options:
        yield "\noptions (--dialect-option KEY=VALUE)"
    for option in row.options:
        yield from _fold(f"  {option.key}", f"{option.help} [default: {option.default or 'none'}]")
    if row.unconfirmed:
        yield "\nread or inferred, never seen"
    for line in row.unconfirmed:
        yield from textwrap.wrap(line, _WIDTH, initial_indent="  - ", subsequent_indent="    ")


def _fold(label: str, text: str) -> list[str]:
    head = f"{label:<22} "
    return textwrap.wrap(text, _WIDTH, initial_indent=head, subsequent_indent=" " * len(head))
