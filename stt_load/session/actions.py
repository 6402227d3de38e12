"""The rules of a session, and the actions with which it says what is to be done next."""

from __future__ import annotations

import msgspec

from stt_load.dialects.events import Message
from stt_load.errors import Outcome


class SessionRules(msgspec.Struct, frozen=True, gc=False):
    """How long a session waits, and when it begins.

    `timeout_s`: from the moment the last frame is due to the deadline for the transcript. `phase_s`: how long after the
    server is ready the microphone is switched on, so that callers don't send in lock-step. `ready_timeout_s`: from the
    upgrade to the server's ready message: some servers load a model for each new caller.
    """

    timeout_s: float = 30.0
    phase_s: float = 0.0
    ready_timeout_s: float = 10.0


class Send(msgspec.Struct, frozen=True, gc=False):
    """Hand `message` to the kernel now, then call `on_sent`."""

    message: Message


class SendFrames(msgspec.Struct, frozen=True, gc=False):
    """Hand each frame over when it is due, up to but not including the one with the number `until`; ask again then, and
    after every message that arrives."""

    until: int


class WaitUntil(msgspec.Struct, frozen=True, gc=False):
    """Do nothing before `at_s` (monotonic seconds) unless a message arrives."""

    at_s: float


class Done(msgspec.Struct, frozen=True, gc=False):
    """Close the connection: the utterance is over."""

    outcome: Outcome


Action = Send | SendFrames | WaitUntil | Done
