"""What a tool is asked for: a command line that becomes more modest when the tool refuses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class ToolCommand(Protocol):
    """One for each source; it lives as long as that does, so that what was refused once isn't asked for again."""

    def argv(self) -> Sequence[str]: ...

    def ask_less(self, output: Sequence[str]) -> bool:
        """The tool ended by itself, without a sample, having said `output` (lines). True: `argv` now asks for
        less and is worth trying at once. Must become False some time, or the tool would be started for ever.
        """
        ...


class FallbackCommands:
    """The first of these commands that the tool doesn't refuse; after the last one, the first again."""

    def __init__(self, *commands: Sequence[str]) -> None:
        self._commands = commands
        self._at = 0

    def argv(self) -> Sequence[str]:
        return self._commands[self._at]

    def ask_less(self, output: Sequence[str]) -> bool:
        self._at = (self._at + 1) % len(self._commands)
        return self._at > 0
