"""Locust, as `stt-load run` and `demo` start it: `python -P -m stt_load.locust_plugin`, with Locust's own words.

The folder that it is started in decides nothing. Locust itself imports modules from there before any of Python's or its
own (a `random.py` of the user's), and takes options from a `locust.conf` or `pyproject.toml` there that nobody has
checked. Who wants that starts `locust`.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import Any

from stt_load.process.ending_signals import hear_before_start


def main() -> None:
    """Hears signals first: the import of Locust takes a second."""
    hear_before_start()
    gc.disable()  # imports make no garbage, and to look for some among all that they make takes a tenth of their time
    import locust.main  # first: it patches the process

    from stt_load.locust_plugin import hooks  # what the locustfile needs, while nothing comes from this folder

    hooks.tells_of_variables = False  # the command that started us has
    gc.freeze()  # what imports made lasts as long as the process
    gc.enable()
    # The files that are read without being named with --config.
    locust.argument_parser.get_empty_argument_parser.__defaults__ = (True, ())
    locust.argument_parser.get_parser.__defaults__ = ((),)
    locust.events.init_command_line_parser.add_listener(leave_out_this_folder)
    sys.argv[0] = "locust"  # what it calls itself in its messages
    locust.main.main()


def leave_out_this_folder(**_: Any) -> None:
    """Locust has imported the locustfile, with this folder at the head of the path, and is about to make its parser."""
    if sys.path[0] == str(Path.cwd()):
        del sys.path[0]


if __name__ == "__main__":
    main()
