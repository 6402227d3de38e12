"""Locust, as `stt-load run` and `demo` start it: `python -P -m stt_load.locust_plugin`, with Locust's own words."""

from __future__ import annotations

import sys

from stt_load.ending_signals import hear_before_start


def main() -> None:
    """Hears signals first: the import of Locust takes a second."""
    hear_before_start()
    from locust.main import main as run_locust

    sys.argv[0] = "locust"  # what it calls itself in its messages
    run_locust()


if __name__ == "__main__":
    main()
