"""What of a run folder is not as the run wrote it: counted while its files are read, and told in the report."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from stt_load.report.raw_files import RAW_FILES, STAGES, whole_name


class Flaw(Enum):
    """One way in which a raw file is not as it was written: what is told of one such place, and of several."""

    CHANGED = ("it is not as the run wrote it", "")
    UNREADABLE = ("it can't be read", "")
    CUT = ("the last line is cut off and left out", "")
    DAMAGED = ("1 damaged line is left out", "{n} damaged lines are left out")
    WRONG = ("1 line is left out that can't be one of this file", "{n} lines are left out that can't be of this file")
    TWICE = ("1 line is there twice, and counted once", "{n} lines are there twice, and counted once")
    MISSING = ("1 line is missing", "{n} lines are missing")
    OTHER_RUN = ("1 line of another run is left out", "{n} lines of another run are left out")
    NO_STAGE = (
        f"1 utterance is left out because {STAGES} does not have its stage",
        f"{{n}} utterances are left out because {STAGES} does not have their stage",
    )
    SURPLUS = (
        "1 utterance is there that no worker has finished",
        "{n} utterances are there that no worker has finished",
    )
    VALUE = ("1 value is left out that can't be right", "{n} values are left out that can't be right")

    def told(self, n: int) -> str:
        one, several = self.value
        return one if n == 1 or not several else several.format(n=f"{n:,}")


@dataclass(slots=True)
class _Found:
    n: int
    first: str  # where it was found first, and what is wrong there; "" where there is nothing to say


class Damage:
    """The flaws of one run folder, file by file."""

    def __init__(self) -> None:
        self._files: dict[str, dict[Flaw, _Found]] = {}

    def forget(self, file: str) -> None:
        """The file is read from its beginning: what was noted of it is found again."""
        self._files.pop(file, None)

    def note(self, file: str, flaw: Flaw, first: str = "", n: int = 1) -> None:
        found = self._files.setdefault(file, {}).setdefault(flaw, _Found(0, first))
        found.n += n

    @property
    def notes(self) -> list[str]:
        """One line for each flaw of each file."""
        return [
            f"{file}: {flaw.told(found.n)}{_first(found)}"
            for file in self._in_order()
            for flaw, found in self._files[file].items()
        ]

    def clause(self, *, is_finished: bool) -> str | None:
        """Which files are not as they were written; None where all are.

        `is_finished`: the run came to its end. One that was killed may have cut its last line off.
        """
        allowed = set() if is_finished else {Flaw.CUT}
        files = [file for file in self._in_order() if self._files[file].keys() - allowed]
        if not files:
            return None
        *most, last = files
        names, are, them = (f"{', '.join(most)} and {last}", "are", "them") if most else (last, "is", "it")
        return f"{names} {are} not as the run wrote {them}: see the notes"

    def _in_order(self) -> list[str]:
        """The files with a flaw, in the order of `RAW_FILES`, each with its parts behind it."""
        return sorted(self._files, key=lambda file: (RAW_FILES.index(whole_name(file)), file != whole_name(file), file))


def _first(found: _Found) -> str:
    if not found.first:
        return ""
    return f"; the first is {found.first}" if found.n > 1 else f": {found.first}"
