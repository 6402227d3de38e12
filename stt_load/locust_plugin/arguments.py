"""What Locust would make of the words on a command line, asked before it is started."""

from __future__ import annotations

from collections.abc import Sequence

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
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    unknown = [flag for flag in flags if flag not in known]
    if unknown:
        return [f"unknown option {flag}: see --help here and `locust --help`" for flag in unknown]
    options = parser.parse_args(list(words))
    if options.user_classes:  # what Locust takes a bare word for; the shipped locustfiles have one class each
        return [f"unexpected argument {word}: only options go here" for word in options.user_classes]
    taken = port_taken("--master-bind-port", options.master_bind_host, options.master_bind_port)
    return [taken] if options.master and taken else []
