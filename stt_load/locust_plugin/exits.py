"""How a process ends that can't take part: with its reasons, before anything has begun. And one that can't go on."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, NoReturn

import gevent

from stt_load.errors import ExitCode


def exit_with(problems: Iterable[str], code: ExitCode = ExitCode.USAGE) -> NoReturn:
    """Ends this process. `problems`: one line each."""
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(code)


_NO_MEMORY = b"error: this process gets no more memory, and ends: what was measured so far is in the run folder\n"


def end_without_memory() -> None:
    """Makes this process end when a greenlet dies because there is no more memory. Any of them may be the one that
    counts callers, or ends the run, and nobody would go on with its work. Rows are in their file as they come; a master
    takes note of a worker that has gone. Nothing here needs memory."""
    hub = gevent.get_hub()
    handle = hub.handle_error

    def handle_error(context: Any, kind: Any, value: Any, trace: Any) -> None:
        if kind is MemoryError:
            with suppress(OSError):
                os.write(2, _NO_MEMORY)
            os._exit(ExitCode.FAILED)
        handle(context, kind, value, trace)

    hub.handle_error = handle_error  # type: ignore[assignment, method-assign]
