"""Commands that can be stopped: what they say, and what is left behind, is the same for each signal that ends them."""

from __future__ import annotations

import signal
from contextlib import AbstractContextManager
from typing import NoReturn

from stt_load.process.ending_signals import hearing


def interruptible() -> AbstractContextManager[None]:
    """SIGTERM, SIGHUP and SIGQUIT raise KeyboardInterrupt inside the block, as Ctrl-C does, so that what was begun is
    ended in order."""
    return hearing(_interrupt)


def _interrupt(_: signal.Signals) -> NoReturn:
    raise KeyboardInterrupt
