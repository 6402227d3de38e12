"""How a process that can't take part ends: with its reasons on stderr, before anything has been begun."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import NoReturn

from stt_load.errors import ExitCode


def exit_with(problems: Iterable[str], code: ExitCode = ExitCode.USAGE) -> NoReturn:
    """Ends this process. `problems`: one line each."""
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    sys.exit(code)
