"""Dialects that other installed packages bring: entry points of the group `stt_load.dialects`.

    [project.entry-points."stt_load.dialects"]
    acme = "acme_stt:ACME"      # a DialectRow whose name is acme

Nothing is looked for before a dialect is asked for by name, and no package is imported before its dialect is.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stt_load.dialects.base import Dialect
from stt_load.dialects.row import DialectRow

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "stt_load.dialects"


@dataclass(frozen=True, slots=True)
class InstalledDialect:
    """An entry point: the name of a dialect, and the package with its version that declares it."""

    name: str
    package: str
    entry_point: EntryPoint

    def load(self) -> DialectRow:
        """Imports the package. Raises ValueError, one line, where that fails or is no row of this name."""
        where = f"{self.name} of {self.package} ({self.entry_point.value})"
        try:
            row = self.entry_point.load()
        except Exception as error:  # whatever a stranger's module does
            raise ValueError(f"{where} can't be imported: {_one_line(error)}") from error
        if not isinstance(row, DialectRow) or not inspect.isclass(row.dialect) or not issubclass(row.dialect, Dialect):
            raise ValueError(f"{where} must be a DialectRow with a subclass of Dialect")
        if row.name != self.name:
            raise ValueError(f"{where} is a row named {row.name}: entry point and row must have the same name")
        try:
            row.capabilities  # noqa: B018 - makes a dialect, as every connection will
        except Exception as error:
            raise ValueError(f"{where} can't be made: {_one_line(error)}") from error
        return row


def _one_line(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"


@functools.cache
def installed_dialects() -> Mapping[str, tuple[InstalledDialect, ...]]:
    """Dialects of other packages by name; where more than one package brings a name, all of them. Looked up once."""
    from importlib.metadata import entry_points  # costs too much for a `--help`

    found: dict[str, tuple[InstalledDialect, ...]] = {}
    for point in sorted(entry_points(group=GROUP), key=lambda point: (point.name, point.value)):
        package = f"{point.dist.name} {point.dist.version}" if point.dist else point.module
        found[point.name] = (*found.get(point.name, ()), InstalledDialect(point.name, package, point))
    return found
