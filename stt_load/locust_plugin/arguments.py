"""What Locust would make of the words on a command line, asked before it is started."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from stt_load.options import OPTIONS
from stt_load.run.preflight import port_taken


def find_locust_problems(words: Sequence[str]) -> list[str]:
    """One line for each flag that Locust doesn't know either, for each word that is no option, and for a master's port
    that is taken.

    Importing Locust costs a second and patches this process: only done where there are words to ask about.
    """
    if not words:
        return []
    from locust.argument_parser import get_parser

    parser = get_parser()
    known = {name for action in parser._actions for name in action.option_strings}
    meant = [*known, *(f"--{option.name}" for option in OPTIONS)]
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    unknown = [flag for flag in flags if flag not in known]
    if unknown:
        return [
            f"unknown option {flag}{_close_to(flag, meant)}: see --help here and `locust --help`" for flag in unknown
        ]
    options = parser.parse_args(list(words))
    if options.user_classes:  # what Locust takes a bare word for; the shipped locustfiles have one class each
        return [f"unexpected argument {word}: only options go here" for word in options.user_classes]
    taken = port_taken("--master-bind-port", options.master_bind_host, options.master_bind_port)
    return [taken] if options.master and taken else []


def find_tag_problems(options: Any) -> list[str]:
    """One line for each list of tags in Locust's parsed options, which would leave the callers without a task: Locust
    throws an exception then for each of them, as fast as it can. They may come from another project's environment.
    """
    lists = [("--tags", "LOCUST_TAGS", "tags"), ("--exclude-tags", "LOCUST_EXCLUDE_TAGS", "exclude_tags")]
    return [
        f"{flag} {' '.join(tags)}: callers have no tags: leave it out, in the environment ({variable}) and in "
        "locust.conf too"
        for flag, variable, name in lists
        if (tags := getattr(options, name, None))
    ]


def _close_to(flag: str, names: Sequence[str]) -> str:
    close = get_close_matches(flag, names, n=1, cutoff=0.8)
    return f" ({close[0]}?)" if close else ""
