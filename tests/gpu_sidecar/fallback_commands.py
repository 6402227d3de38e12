"""A tool that tests invent: a list of commands, tried one after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gpu_sidecar.sources.tool_command import Parse


class FallbackCommands:
    """A list of commands, of which the first that the tool accepts is used; after the last one, the first again."""

    note = ""
    environment: Mapping[str, str] = {}

    def __init__(
        self, name: str, make_parser: Callable[[], Parse], *commands: Sequence[str], header: str = "#"
    ) -> None:
        self.name, self.header = name, header
        self._make_parser = make_parser
        self._commands = commands
        self._at = 0

    def argv(self, only: Sequence[int]) -> Sequence[str]:
        return self._commands[self._at]

    def make_parser(self) -> Parse:
        return self._make_parser()

    def is_refusal(self, status: int, output: Sequence[str]) -> bool:
        return True

    def describe_exit(self, status: int) -> str:
        return f"exit status {status}"

    def ask_less(self, output: Sequence[str]) -> bool:
        self._at = (self._at + 1) % len(self._commands)
        return self._at > 0

    def ask_another(self, why: str) -> bool:
        return False
