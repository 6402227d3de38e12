"""`stt-load dialects`: lists the servers that stt-load can talk to, and describes one."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

import click

from stt_load.dialects.installed import InstalledDialect, installed_dialects
from stt_load.dialects.registry import find_dialect
from stt_load.errors import ConfigError
from stt_load.kinds import KINDS, STREAM, LoadKind, kind_of
from stt_load.process.standard_streams import require_output

_WIDTH = 110


@click.command()
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the servers that stt-load can talk to; with NAME, show what is known about one and its options."""
    for line in _list_all() if name is None else _describe_one(name):
        click.echo(line)
    require_output()


def _describe_one(name: str) -> Iterator[str]:
    """The lines about one server. Raises ConfigError for a name that nobody knows."""
    kind = kind_of(name)
    try:
        row = find_dialect(name) if kind is STREAM else kind.dialect_rows()[name]
    except ValueError as error:
        raise ConfigError(str(error)) from error
    return _describe(kind, row)


def _list_all() -> Iterator[str]:
    for kind in KINDS.values():
        yield kind.title
        yield from _columns([(row.name, row.default_url, row.summary) for row in kind.dialect_rows().values()])
        yield ""
    installed = [dialect for dialects in installed_dialects().values() for dialect in dialects]
    if installed:
        yield "streams, from other packages"
        yield from _columns([_installed_cells(dialect) for dialect in installed])


def _installed_cells(dialect: InstalledDialect) -> tuple[str, ...]:
    """The cells of a dialect from another package; one that can't be used has the reason in place of its URL."""
    try:
        dialect.load()
        row = find_dialect(dialect.name)
    except ValueError as error:
        return dialect.name, dialect.package, f"can't be used: {error}"
    return dialect.name, dialect.package, row.default_url, row.summary


def _columns(lines: Sequence[tuple[str, ...]]) -> Iterator[str]:
    """The cells of each line under each other; the last cell of a line is as long as it wants to be."""
    widths: dict[int, int] = {}
    for line in lines:
        for place, cell in enumerate(line[:-1]):
            widths[place] = max(widths.get(place, 0), len(cell))
    for line in lines:
        cells = [cell.ljust(widths[place]) for place, cell in enumerate(line[:-1])]
        yield "  " + "  ".join([*cells, line[-1]])


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
