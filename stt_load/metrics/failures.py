"""Why utterances of a stage failed: like messages in one group, with how many there are and what to do about them.

Servers put numbers, ids and addresses into their messages ("43 of 40 sessions", "request 9f3a…"), so a thousand callers
who fail for one reason tell it in a thousand ways. What has a digit in it is masked before messages are compared, but
for the status of an HTTP answer and the code of a close, which are the reason.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from stt_load.errors import Outcome
from stt_load.records import UtteranceRecord

OTHER_MESSAGES = "other messages"
"""Stands in for the messages of the groups that are not listed."""

LISTED = 10
_GROUPS_KEPT = 1_000  # messages of one stage that differ; a server that invents more is not worth the memory
_CHARACTERS = 200
_MASK = "…"
_NO_FAILURES = frozenset(
    map(str, (Outcome.OK, Outcome.INTERRUPTED))
)  # to compare with members takes five times as long

_APART = r"\s,;(){}=\"'"
_VARYING = re.compile(
    rf"(?<![^{_APART}])"  # at the begin of a word,
    r"(?<!HTTP )(?<!server with )(?<!code )(?<!status )(?<!error )"  # which is no code that says why,
    rf"[^{_APART}]*\d(?:[^{_APART}]*[\w\]])?"  # and has a digit; punctuation behind it stays
)


@dataclass(frozen=True, slots=True)
class Failure:
    """Counted utterances of one stage that failed in the same way.

    `message`: as it was told, with `…` in place of what differs between them; empty where nothing was told. `advice`:
    what to do, None where nothing is known to help.
    """

    outcome: str
    message: str
    n: int
    advice: str | None = None


Advise = Callable[[UtteranceRecord], str | None]
"""Gives what to do about a failed utterance, once the others of the stage are known."""


def no_advice(record: UtteranceRecord) -> None:
    return None


def has_failed(record: UtteranceRecord) -> bool:
    """The utterance neither completed nor was interrupted by the end of the run."""
    return record.outcome not in _NO_FAILURES


def masked(message: str) -> str:
    """The message without what differs from one utterance to the next: equal for messages of one group."""
    return _VARYING.sub(_MASK, message)


@dataclass(slots=True)
class _Group:
    first: str
    record: UtteranceRecord  # of the first
    n: int = 0
    varies: bool = False


class FailureGroups:
    """The failures of one stage in the making: `add` records, some thousand at once, then `listed`."""

    __slots__ = ("_advise", "_groups", "_unlisted")

    def __init__(self, advise: Advise = no_advice) -> None:
        self._advise = advise
        self._groups: dict[tuple[str, str], _Group] = {}  # by outcome and masked message
        self._unlisted: Counter[str] = Counter()  # outcome -> utterances for whose message there was no room

    def add(self, failed: Iterable[UtteranceRecord]) -> None:
        firsts: dict[tuple[str, str], UtteranceRecord] = {}
        counts: Counter[tuple[str, str]] = Counter()
        for record in failed:
            key = record.outcome, (record.error or "")[:_CHARACTERS]
            counts[key] += 1
            firsts.setdefault(key, record)
        for (outcome, message), n in counts.items():
            self._count(outcome, message, n, firsts[outcome, message])

    def _count(self, outcome: str, message: str, n: int, record: UtteranceRecord) -> None:
        key = outcome, masked(message)
        group = self._groups.get(key)
        if group is None:
            if len(self._groups) >= _GROUPS_KEPT:
                self._unlisted[outcome] += n
                return
            group = self._groups[key] = _Group(message, record)
        group.n += n
        group.varies = group.varies or message != group.first

    def listed(self) -> tuple[Failure, ...]:
        """The most frequent ones, most frequent first, then what is left of each outcome as `OTHER_MESSAGES`."""
        by_number = sorted(
            self._groups.items(), key=lambda item: -item[1].n
        )  # stable: the earlier of equals comes first
        rest = Counter(self._unlisted)
        for (outcome, _), group in by_number[LISTED:]:
            rest[outcome] += group.n
        return (
            *(
                Failure(outcome, message if group.varies else group.first, group.n, self._advise(group.record))
                for (outcome, message), group in by_number[:LISTED]
            ),
            *(Failure(outcome, OTHER_MESSAGES, n) for outcome, n in rest.most_common()),
        )
