"""The signals that end a program of ours: the first one in good order, a second one at once.

Ctrl-C (SIGINT), SIGTERM, a terminal that is gone (SIGHUP) and SIGQUIT are one and the same. It needs the standard
library alone and is imported in a millisecond: a program hears them before it imports what takes a second.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
_MAY_STAY_IGNORED = (signal.SIGHUP, signal.SIGQUIT)

# A terminal sends Ctrl-C to each process of the group, and `timeout`, `make` or `docker run` may pass on their own:
# copies come within milliseconds, and nobody presses twice so quickly.
REPEATED_AFTER_S = 0.5

_INTERRUPTED = 5  # ExitCode.ABORTED; a test compares them
_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_SHOW_CURSOR = b"\x1b[?25h"

Handlers = Mapping[signal.Signals, Any]


def hear(act: Callable[[signal.Signals], object]) -> Handlers:
    """Calls `act` with the first ending signal, in the main thread between two instructions. Another one ends the
    process at once, with 128 and its number, unless it comes within REPEATED_AFTER_S: that is the first one again.

    SIGHUP and SIGQUIT that are ignored stay so: `nohup` and a shell's `&` ask for it. Returns the handlers before.
    """
    first_s: float | None = None

    def on_signal(number: int, _: object) -> None:
        nonlocal first_s
        now_s = time.monotonic()
        if first_s is None:
            first_s = now_s
            act(signal.Signals(number))
        elif now_s - first_s >= REPEATED_AFTER_S:
            _leave_at_once(number)

    return {number: signal.signal(number, on_signal) for number in heard()}


def heard() -> list[signal.Signals]:
    """The ending signals that are not to be ignored."""
    return [n for n in ENDING if n not in _MAY_STAY_IGNORED or signal.getsignal(n) is not signal.SIG_IGN]


def restore(handlers: Handlers) -> None:
    """Puts back what `hear` returned."""
    for number, handler in handlers.items():
        signal.signal(number, handler)


@contextmanager
def hearing(act: Callable[[signal.Signals], object]) -> Iterator[None]:
    """`hear` for the time of the block."""
    before = hear(act)
    try:
        yield
    finally:
        restore(before)


def hear_before_start() -> None:
    """An ending signal ends the process with 5 and one line, whatever it does: for as long as nothing has been begun.

    Signals that were held back for this process are let through.
    """
    hear(leave_before_start)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)


def hear_after_end() -> None:
    """The program has done its work and its exit code stands: an ending signal changes nothing, a second one still
    leaves at once. An interpreter takes a tenth of a second to end."""
    hear(lambda _: None)


@contextmanager
def held_back() -> Iterator[None]:
    """Ending signals wait until the end of the block, and for a program that is started in it until it hears them:
    the mask outlives `exec`, and handlers don't."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def go_on_in_fork() -> None:
    """Returns in a fork of this process, which an ending signal ends at once. This one waits for it and ends with its
    exit code, or, told to end, with 5 and one line: it hears signals whatever the fork does."""
    parent = os.getpid()
    with held_back():
        fork = os.fork()
        if fork == 0:
            for number in heard():
                signal.signal(number, signal.SIG_DFL)
            die_with_parent(parent)
            return

        def end(_: signal.Signals) -> NoReturn:
            with suppress(ProcessLookupError):  # it ended a moment ago
                os.kill(fork, signal.SIGKILL)
            _tell(b"interrupted\n")
            os._exit(_INTERRUPTED)

        hear(end)
    code = os.waitstatus_to_exitcode(os.waitpid(fork, 0)[1])
    if -code in ENDING:  # sent to both, and this one hears it next
        end(signal.Signals(-code))
    os._exit(code if code >= 0 else 128 - code)


def die_with_parent(parent: int) -> None:
    """To be called in a child: it gets SIGTERM when its parent dies, even of kill -9. Does nothing where the system has
    no such thing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it has died already
            os.kill(os.getpid(), signal.SIGTERM)


def end_with_parent_after_fork() -> None:
    """Every fork of this process ends with it, and says nothing of its own as long as nothing has been begun."""
    parent = os.getpid()

    def note_parent() -> None:
        nonlocal parent
        parent = os.getpid()

    def in_child() -> None:
        hear(lambda _: os._exit(_INTERRUPTED))
        die_with_parent(parent)

    os.register_at_fork(before=note_parent, after_in_child=in_child)


def leave_before_start(_: signal.Signals) -> NoReturn:
    """Ends the process with 5 and one line: nothing has been begun. An exception would be shown as a traceback, or be
    lost, in the middle of an import."""
    _tell(b"interrupted before anything was started\n")
    os._exit(_INTERRUPTED)


def _leave_at_once(number: int) -> NoReturn:
    if sys.stderr is not None and sys.stderr.isatty():
        _tell(_SHOW_CURSOR)  # a progress bar hides it
    os._exit(128 + number)


def _tell(what: bytes) -> None:
    with suppress(OSError):  # nobody reads it
        could_block = os.get_blocking(2)
        os.set_blocking(2, False)  # a terminal that is stopped would keep the process
        try:
            os.write(2, what)
        finally:
            os.set_blocking(2, could_block)
