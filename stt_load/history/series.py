"""Runs that belong together: those of one kind of load, with the same label, server and machine."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from stt_load.history.run_row import RunRow, common_users
from stt_load.kinds import KINDS

SAME = ("label", "server", "machine")
"""What the runs of a series share, besides their kind of load; a user may ask for less."""


@dataclass(frozen=True, slots=True)
class Series:
    """The runs of one series, oldest first. `users`: the number of callers at which they are compared."""

    name: str
    runs: tuple[RunRow, ...]
    users: int | None

    @property
    def told_users(self) -> str:
        """Where its figures were measured: `p95, WER, errors and energy at 20 callers`."""
        callers = KINDS[self.runs[-1].kind]
        named = callers.caller if self.users == 1 else callers.callers
        return "" if self.users is None else f"p95, WER, errors and energy at {self.users} {named}"


def key_of(run: RunRow, same: Sequence[str] = SAME) -> tuple[str, ...]:
    return (run.kind, *(str(getattr(run, name)) for name in same))


def series_of(runs: Iterable[RunRow], same: Sequence[str] = SAME) -> list[Series]:
    """All series, the one with the newest run first."""
    groups: dict[tuple[str, ...], list[RunRow]] = {}
    for run in runs:
        groups.setdefault(key_of(run, same), []).append(run)
    newest_first = sorted(groups.items(), key=lambda item: item[1][-1].started_at or 0.0, reverse=True)
    return [Series(_name(key), tuple(group), common_users(group)) for key, group in newest_first]


def _name(key: tuple[str, ...]) -> str:
    kind, *shared = key
    return " · ".join(filter(None, [*shared, f"{kind}s" if kind != "tts" else "text to speech"]))
