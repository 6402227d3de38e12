"""What Locust would make of the words on a command line, asked before it is started."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

from stt_load.locust_plugin.cluster.public_address import find_open_doors
from stt_load.locust_plugin.process_options import I_KNOW, PROCESSES
from stt_load.option_values import is_loopback
from stt_load.options import OPTIONS
from stt_load.run.load_processes import parse_processes
from stt_load.run.preflight import port_taken
from stt_load.text.url_secrets import as_typed

LOOPBACK = "127.0.0.1"
MASTER_PORT = 5557  # Locust's
WORKERS_LIMIT_S = 1_800  # finding the speech in thousands of clips takes minutes, before a worker has joined


def find_locust_problems(words: Sequence[str]) -> list[str]:
    """One line for each thing that is wrong with words for Locust: flags that it doesn't know either, words that are no
    option, values, locustfiles, roles that exclude each other, and a master's port that is taken or open to strangers.

    Importing Locust costs a second and patches this process: only done where there are words to ask about.
    """
    if not words:
        return []
    from locust.argument_parser import get_parser

    parser = get_parser(default_config_files=())  # as when it is started
    parser.error = _raise_misused  # type: ignore[method-assign]  # it would print the usage and leave
    adapt_parser(parser)
    if problems := _find_unknown_flags(words, parser):
        return problems
    try:
        options = parser.parse_args(list(words))
    except _Misused as misused:
        return [str(misused)]
    options.headless = True  # whoever asks starts it so
    if problems := [
        *_find_missing_locustfiles(words, options.locustfile),
        *find_role_problems(options),
        *find_open_doors(options),
    ]:
        return problems
    if options.user_classes:  # what Locust takes a bare word for; the shipped locustfiles have one class each
        return [f"unexpected argument {as_typed(word)}: only options go here" for word in options.user_classes]
    taken = port_taken("--master-bind-port", options.master_bind_host, options.master_bind_port)
    return [taken] if options.master and taken else []


def _find_unknown_flags(words: Sequence[str], parser: Any) -> list[str]:
    known = {name for action in parser._actions for name in action.option_strings}
    ours = {f"--{option.name}" for option in OPTIONS}
    flags = [word.partition("=")[0] for word in words if word.startswith("--")]
    return [
        f"{flag}: it is no option of this command: leave it out, or see --help"
        if flag in ours
        else f"unknown option {flag}{_close_to(flag, [*known, *ours])}: see --help here and `locust --help`"
        for flag in flags
        if flag not in known
    ]


class _Misused(Exception):
    """What Locust's parser has to say against a value, one line."""


def _raise_misused(message: str) -> NoReturn:
    raise _Misused(re.sub(r"^argument (--?[\w-]+)(/\S+)*: ", r"\1: ", message))


def find_role_problems(options: Any) -> list[str]:
    """One line where the processes that Locust's options ask for contradict each other."""
    if options.master and options.worker:
        return ["--master, --worker: a process is one of the two: leave one out"]
    if options.processes and options.master:
        return [
            "--processes: it starts a master and its workers on this machine: leave out --master, or leave out "
            "--processes and start each worker yourself (--worker)"
        ]
    is_group = options.processes not in (None, 1) and not options.worker
    if is_group and (options.master_bind_port != MASTER_PORT or not is_loopback(options.master_bind_host)):
        return [
            "--processes: its workers are of this machine, and it has a port of its own for them: leave out "
            "--master-bind-host and --master-bind-port, or leave out --processes and start a master (--master) and "
            "each worker (--worker) yourself"
        ]
    return []


def _find_missing_locustfiles(words: Sequence[str], given: str) -> list[str]:
    """One line for each locustfile that was named and isn't there: Locust's own note says how it likes them to end."""
    if not any(word.startswith(("-f", "--locustfile")) for word in words):
        return []
    files = [name.strip() for name in given.split(",") if "://" not in name and name.strip() != "-"]
    return [
        f"-f {name}: there is no such locustfile: name a file that ends in .py, or a folder of them"
        for name in files
        if not (Path(name).is_dir() or (Path(name).is_file() and name.endswith(".py")))
    ]


def adapt_parser(parser: Any) -> None:
    """Changes what Locust's command line says of its processes: it defaults to this machine alone, where Locust itself
    listens on every interface, `--processes` takes a word too, there is a flag for a port that strangers reach, and
    workers that don't come, or are refused, are not waited for without an end."""
    parser.add_argument(
        f"--{I_KNOW.name}",
        action="store_true",
        default=False,
        env_var=I_KNOW.variable,
        help=I_KNOW.help,
        include_in_web_ui=False,
    )
    for action in parser._actions:
        if action.dest == PROCESSES.key:
            action.type, action.metavar, action.help = _processes, PROCESSES.metavar, PROCESSES.help
        if action.dest in ("master_bind_host", "web_host"):
            action.default = LOOPBACK
            purpose = action.help.partition(". ")[0]
            action.help = f"{purpose}. Defaults to {LOOPBACK}; '*' is every interface"
        if action.dest == "expect_workers_max_wait":
            action.default = WORKERS_LIMIT_S
            action.help = f"Seconds that the master waits for workers. Defaults to {WORKERS_LIMIT_S}; 0 is no limit"


def _processes(text: str) -> int | str:
    try:
        return parse_processes(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from None


def find_task_problems(environment: Any) -> list[str]:
    """One line for each user class that Locust has chosen and that has nothing to do, as it is or with the tags that
    Locust has found: Locust throws an exception then for each of its users, as fast as it can. Tags may come from
    another project's environment."""
    options, lines = environment.parsed_options, []
    for user_class in environment.user_classes:
        left = list(user_class.tasks)
        if not left:
            lines.append(f"{user_class.__name__}: it has no task: mark one with @task, or leave the class out")
        for flag, name, is_wanted in (("--tags", "tags", True), ("--exclude-tags", "exclude_tags", False)):
            tags = getattr(options, name, None) or ()
            before, left = left, [task for task in left if not tags or _has_tag(task, tags) is is_wanted]
            if before and not left:
                lines.append(
                    f"{flag} {' '.join(tags)}: leaves {user_class.__name__} no task: leave it out, in the environment "
                    f"(LOCUST_{name.upper()}) and in locust.conf too"
                )
    if environment.user_classes and not any(each.weight or each.fixed_count for each in environment.user_classes):
        names = ", ".join(each.__name__ for each in environment.user_classes)
        lines.append(f"{names}: has no weight, so Locust starts nobody: give it a weight of 1")
    return lines


def user_class_names(environment: Any) -> list[str]:
    """The user classes of this process's locustfile: Locust tells its workers by these names whom to start."""
    return [each.__name__ for each in environment.user_classes]


def _has_tag(task: Any, tags: Sequence[str]) -> bool:
    return bool(getattr(task, "locust_tag_set", set()) & set(tags))


def _close_to(flag: str, names: Sequence[str]) -> str:
    close = get_close_matches(flag, names, n=1, cutoff=0.8)
    return f" ({close[0]}?)" if close else ""
