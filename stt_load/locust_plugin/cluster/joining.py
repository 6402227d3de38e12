"""A worker's way into a cluster: it says what it runs and what it has, and the master decides."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import gevent
import msgspec

from stt_load.config import parse_options
from stt_load.errors import ConfigError
from stt_load.locust_plugin.cluster.admission import Answer, Found
from stt_load.locust_plugin.cluster.messages import EQUIPMENT, JOIN, REFUSED, SERVERS_OPTION, TERMS, WAIT, WELCOME
from stt_load.run.loaded_clips import LoadedClips
from stt_load.run.named_servers import find_unnamed
from stt_load.run.real_thread import call_in_thread
from stt_load.run.terms import describe_equipment, this_program

_WAIT_S = 0.5  # before a master that has nothing to say yet is asked again


class Refused(Exception):
    """The master doesn't take this worker. `lines` say why, and what to do."""

    def __init__(self, lines: Sequence[str]) -> None:
        self.lines = list(lines)
        super().__init__("\n".join(self.lines))


class Joining:
    """What a worker says to a master that it wants to join. `clips`: keeps what it has loaded for that."""

    def __init__(self, clips: LoadedClips) -> None:
        self._clips = clips

    def question(self) -> Answer:
        """The first message of a worker."""
        return JOIN, msgspec.to_builtins(this_program())

    def on_answer(self, name: str, data: Any) -> Answer | None:
        """What a worker replies to this answer; None where it has joined. Raises Refused."""
        if name == WELCOME:
            return None
        if name == REFUSED:
            raise Refused(refusal_lines(data["problems"]))
        if name == TERMS:
            return find_equipment(data["options"], self._clips)
        gevent.sleep(_WAIT_S)
        return self.question()


def is_answer(name: str) -> bool:
    """Whether this is an answer for a worker that is joining: one that has joined hears it when it asked twice."""
    return name in (WAIT, WELCOME)


def refusal_lines(problems: Sequence[str]) -> list[str]:
    """What a worker says that its master has refused."""
    return [f"the master refuses this worker: {problem}" for problem in problems]


def find_equipment(options: Mapping[str, Any], clips: LoadedClips) -> Answer:
    """A worker's answer to the options of a run: what it has for them, its clips loaded; or why it can't have it."""
    equipment, problems = None, []
    try:
        config = parse_options(options)
        if unnamed := find_unnamed(config, options.get(SERVERS_OPTION, {}), os.environ):
            raise ConfigError(unnamed)
        loaded = clips.of(config)
        # In a real thread: to digest a thousand clips takes a second.
        equipment = call_in_thread(describe_equipment, config, loaded.clips, os.environ)
    except ConfigError as error:
        problems = error.lines
    return EQUIPMENT, msgspec.to_builtins(Found(dict(options), equipment, problems))
