"""Options about the processes of a run. The commands that start Locust take them, and so does Locust itself."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProcessOption:
    """One such option. `name`: the flag without its dashes. `variable`: the environment variable. `metavar`: what
    stands for the value in help; empty: a flag."""

    name: str
    variable: str
    metavar: str
    help: str

    @property
    def key(self) -> str:
        """The name as Python and Locust spell it."""
        return self.name.replace("-", "_")


PROCESSES = ProcessOption(
    "processes",
    "LOCUST_PROCESSES",
    "N|auto",
    "How many processes of this machine play callers; 1 is this one alone. auto is one for each core that may be used "
    "but one.",
)
I_KNOW = ProcessOption(
    "i-know",
    "STT_LOAD_I_KNOW",
    "",
    "Listen at a public address too, with the port for workers or the web UI: strangers can reach it.",
)
PROCESS_OPTIONS = (PROCESSES, I_KNOW)
