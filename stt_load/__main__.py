"""`stt-load`, the console script, and `python -m stt_load`."""

from __future__ import annotations

from stt_load.ending_signals import hear_before_start


def main() -> None:
    """Hears signals first: the imports of a command take up to a second."""
    hear_before_start()
    from stt_load.cli import main as run_command

    run_command()


if __name__ == "__main__":
    main()
