"""`stt-load`, the console script, and `python -m stt_load`."""

from __future__ import annotations

import sys

from stt_load.process.ending_signals import go_on_in_fork, hear_after_end, hear_before_start

# In these a library compares two long texts for minutes in one call, and no handler of a signal runs meanwhile.
_RUN_IN_FORK = {"score"}


def main() -> None:
    """Hears signals first: the imports of a command take up to a second."""
    hear_before_start()
    from stt_load.cli import main as run_command

    is_in_fork = not _RUN_IN_FORK.isdisjoint(sys.argv[1:2])
    if is_in_fork:
        go_on_in_fork()
    try:
        run_command(hears_signals=not is_in_fork)
    finally:
        hear_after_end()


if __name__ == "__main__":
    main()
