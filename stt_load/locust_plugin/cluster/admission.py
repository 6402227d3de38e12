"""Who may take part, as the master decides: workers that run the same program and have the same clips."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from stt_load.locust_plugin.cluster.messages import EQUIPMENT, JOIN, REFUSED, TERMS, WAIT, WELCOME
from stt_load.process.log import log
from stt_load.run.terms import Equipment, Program, equipment_differences, program_differences, this_program

Answer = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Terms:
    """What the next run takes. `options`: as they were typed, by key. `equipment`: what the master has for it.
    `source`: where its clips are from, in words."""

    options: dict[str, Any]
    equipment: Equipment
    source: str


class Found(msgspec.Struct, frozen=True):
    """A worker's answer to terms: what it has for these options, or why it can't have it."""

    options: dict[str, Any]
    equipment: Equipment | None
    problems: list[str]


class Admission:
    """The master's list of workers that are heard.

    `program`: what they have to run; None: what this process runs. A process without workers never needs its digest.
    `is_open` False: the master doesn't know yet what it is going to run. `terms` None: somebody is still to type it, so
    that workers are looked at again when a run starts. `refused`: every worker that was, in order; `on_refused` is
    called with each.
    """

    def __init__(self, program: Program | None = None) -> None:
        self.is_open = False
        self.terms: Terms | None = None
        self.on_refused: Callable[[str], None] = lambda worker: None
        self._program = program
        self.refused: list[str] = []
        self._agreed: dict[str, Terms | None] = {}  # the terms of each worker that is heard

    def is_heard(self, worker: str) -> bool:
        return worker in self._agreed

    def has_agreed(self, worker: str) -> bool:
        """Whether this worker fits the terms of now."""
        return worker in self._agreed and self._agreed[worker] == self.terms

    def answer(self, worker: str, name: str, data: object) -> Answer | None:
        """What is to be sent back to a worker that sent this message. None where it is none of those here, or makes no
        sense: then the worker is not answered."""
        try:
            if name == JOIN:
                return self._on_join(worker, msgspec.convert(data, Program))
            if name == EQUIPMENT:
                return self._on_equipment(worker, msgspec.convert(data, Found))
        except msgspec.ValidationError as error:
            log.warning("a message of worker %s makes no sense and is left out: %s %s", worker, name, error)
        return None

    def open(self, terms: Terms | None) -> None:
        """Lets workers in: the master knows what is to be run next, or that it is still to be typed."""
        self.is_open, self.terms = True, terms

    def terms_message(self) -> Answer:
        """Asks a worker what it has for the terms of now."""
        assert self.terms is not None
        return TERMS, {"options": self.terms.options}

    def _on_join(self, worker: str, program: Program) -> Answer:
        if problems := program_differences(self._program or this_program(), program):
            return self.refuse(worker, problems)
        if not self.is_open:
            return WAIT, {}
        return self._welcome(worker) if self.terms is None else self.terms_message()

    def _on_equipment(self, worker: str, found: Found) -> Answer:
        if self.terms is None or found.options != self.terms.options:
            return WAIT, {}  # the answer to a question that has been asked anew since
        problems = list(found.problems)
        if found.equipment is not None:
            problems += equipment_differences(self.terms.equipment, found.equipment, self.terms.source)
        return self.refuse(worker, problems) if problems else self._welcome(worker)

    def _welcome(self, worker: str) -> Answer:
        self._agreed[worker] = self.terms
        return WELCOME, {}

    def refuse(self, worker: str, problems: list[str]) -> Answer:
        """Turns this worker away, from now on if it was heard. Returns what it is to be told."""
        self._agreed.pop(worker, None)
        for problem in problems:
            log.error("worker %s is refused: %s", worker, problem)
        self.refused.append(worker)
        self.on_refused(worker)
        return REFUSED, {"problems": problems}
