"""`stt-load run`: checks the options, then becomes Locust on the shipped locustfile."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from functools import partial, wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import click

from stt_load.config import RunConfig, one_url, parse_options
from stt_load.errors import ConfigError, SttLoadError
from stt_load.locust_plugin.arguments import find_locust_problems
from stt_load.locust_plugin.process_options import I_KNOW, PROCESS_OPTIONS, PROCESSES
from stt_load.options import OPTIONS, Option, PlanKind, options_of
from stt_load.process.ending_signals import hearing, held_back, leave_before_start
from stt_load.process.standard_streams import flush_streams
from stt_load.run.load_processes import AUTO, one_per_core_but_one, parse_processes, why_late
from stt_load.run.preflight import find_problems

ALL_OPTIONS = tuple(option.name for option in options_of(PlanKind.LADDER))
LOCUST = (sys.executable, "-P", "-m", "stt_load.locust_plugin")
_ROLE_VARIABLES = ("LOCUST_MODE_MASTER", "LOCUST_MODE_WORKER")  # Locust's
_INSTEAD = (("rounds", "hold"), ("soak", "hold"), ("spike", "concurrency"))  # the first takes the place of the second
LOCUST_QUIET = ("--only-summary", "--loglevel", "WARNING")


def with_options(
    names: Container[str] | None = None,
    defaults: Mapping[str, str] = MappingProxyType({}),
    plan: PlanKind = PlanKind.LADDER,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Puts the options of such a plan on a click command, or those of these names among them; values stay text.
    `defaults`: other ones than those of the plan, by key."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options_of(plan, defaults)):
            if names is None or option.name in names:
                command = _click_option(option)(command)
        return _with_host(command) if names is None or "stt-url" in names else command

    return decorate


def _click_option(option: Option) -> Callable[..., Any]:
    if option.is_flag:
        return click.option(
            f"--{option.name}", is_flag=True, default=None, envvar=option.env_var, help=option.help_with_default
        )
    if option.is_secret:
        return click.option(
            f"--{option.name}",
            metavar=option.metavar,
            multiple=True,
            expose_value=False,
            callback=partial(_into_environment, option.env_var),
            help=option.help_with_default,
        )
    return click.option(
        f"--{option.name}",
        metavar=option.metavar,
        multiple=option.is_multiple,
        envvar=option.env_var,
        help=option.help_with_default,
    )


def _with_host(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds Locust's own name for the URL of the server."""

    @wraps(command)
    def call(host: str | None, stt_url: str | None, **options: Any) -> Any:
        return command(stt_url=one_url(stt_url, host), **options)

    return click.option("-H", "--host", metavar="URL", envvar="LOCUST_HOST", help="Locust's name for --stt-url.")(call)


def _into_environment(variable: str, context: click.Context, _: click.Parameter, values: Sequence[str]) -> None:
    """Adds the values to those of the environment variable, a line each. It is where whoever needs them looks, in this
    process and in those that it starts, and it is in no process list."""
    if any("\n" in value or not value.strip() for value in values):
        raise ConfigError("--header: write one NAME=VALUE for each, without a line break")
    before = os.environ.get(variable)
    context.call_on_close(partial(_set_environment, variable, before))
    if values:
        _set_environment(variable, "\n".join([*([before] if before else []), *values]))


def _set_environment(variable: str, text: str | None) -> None:
    if text is None:
        os.environ.pop(variable, None)
    else:
        os.environ[variable] = text


def with_process_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Puts the options about processes on a click command, which gets them as `processes` and `i_know`."""
    for option in reversed(PROCESS_OPTIONS):
        kind: dict[str, Any] = {"metavar": option.metavar} if option.metavar else {"is_flag": True, "default": None}
        command = click.option(f"--{option.name}", envvar=option.variable, help=option.help, **kind)(command)
    return command


def find_locustfile(name: str) -> Path:
    """A shipped locustfile: in a checkout beside the package, in an installed wheel inside it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "_locustfiles", package.parent / "locustfiles"):
        if (folder / name).is_file():
            return folder / name
    raise SttLoadError(f"{name} is missing from this installation: install stt-load again")


def locust_command(options: dict[str, Any], extra: Sequence[str], locustfile: str = "ladder.py") -> list[str]:
    """The Locust command line for these options, but for those that `locust_environment` has; `extra` goes to Locust as
    it is."""
    line = [*LOCUST, "-f", str(find_locustfile(locustfile)), "--headless", *LOCUST_QUIET]
    shown = {option.key: options.get(option.key) for option in OPTIONS if not option.may_hold_secrets}
    return [*line, *option_words(shown), *extra]


def locust_environment(options: Mapping[str, Any]) -> dict[str, str]:
    """The environment in which Locust starts: ours, with the options that may hold secrets. A URL with a password would
    be in its command line otherwise, which everybody on this machine may read."""
    given = {option.env_var: options.get(option.key) for option in OPTIONS if option.may_hold_secrets}
    return {**os.environ, **{variable: str(value) for variable, value in given.items() if value is not None}}


def with_defaults(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a command that runs Locust with defaults of its own: those where nothing was given, and the
    panel."""
    given = {key: value for key, value in options.items() if value not in (None, ())}
    return {**options, **defaults, **given, "live": True}


def option_words(options: Mapping[str, Any]) -> list[str]:
    """These options as the words of a command line, those that nobody set left out."""
    line: list[str] = []
    for option in OPTIONS:
        value = None if option.is_secret else options.get(option.key)
        if option.is_flag:
            line += [f"--{option.name}"] * bool(value)
        elif option.is_multiple:
            line += [part for text in value or () for part in (f"--{option.name}", text)]
        elif value is not None:
            text = str(value)  # one that begins with a dash would be taken for an option
            line += [f"--{option.name}={text}"] if text.startswith("-") else [f"--{option.name}", text]
    return line


def check(
    options: Mapping[str, Any],
    problems: Sequence[str] = (),
    has_server: bool = True,
    results_option: str = "results",
) -> RunConfig:
    """What the options say. Raises ConfigError with everything that is wrong: `problems`, the options, the world they
    are to meet, as `find_problems` looks at it."""
    try:
        config = parse_options(options)
        problems = [*problems, *find_problems(config, has_server, results_option)]
    except ConfigError as error:
        problems = [*problems, *error.problems]
    if problems:
        raise ConfigError(problems)
    return config


def take_process_words(options: dict[str, Any], extra: Sequence[str]) -> tuple[list[str], list[str]]:
    """The words for Locust, with those of the options about processes, which are taken out of `options`; and a line for
    each thing that is wrong with all of them. Locust's parser, which takes long to import, is asked about other words
    only."""
    processes, knows = options.pop(PROCESSES.key, None), options.pop(I_KNOW.key, None)
    own = [*([f"--{PROCESSES.name}", processes] if processes else []), *([f"--{I_KNOW.name}"] if knows else [])]
    words = [*own, *extra]
    if extra:
        return words, find_locust_problems(words)
    if processes:
        try:
            parse_processes(processes)
        except ValueError as error:
            return words, [f"--{PROCESSES.name}: {error}"]
    return words, []


def with_enough_processes(
    words: list[str], config: RunConfig, plan: PlanKind, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """The words for Locust, with `--processes auto` where nobody has said how many processes there are to be, one would
    be late, and there are cores for more."""
    if _has_said_processes(words, environ) or why_late(config, plan) is None or one_per_core_but_one().number == 1:
        return words
    return [f"--{PROCESSES.name}", AUTO, *words]


def find_contradictions(options: Mapping[str, Any]) -> list[str]:
    """One line for each pair of options that exclude each other. `options`: those that somebody has given, without any
    default."""
    named = {option.name: option for option in OPTIONS}
    return [
        f"--{one}: it takes the place of --{other}, which was given too: leave one of them out, in the environment "
        f"({named[one].env_var}, {named[other].env_var}) as well"
        for one, other in _INSTEAD
        if options.get(named[one].key) and options.get(named[other].key)
    ]


def _has_said_processes(words: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether somebody has said which processes play callers, or may have, in a file of Locust's options."""
    flags = {word.partition("=")[0] for word in words}
    is_in_environment = any(environ.get(name) for name in (PROCESSES.variable, *_ROLE_VARIABLES))
    return is_in_environment or not flags.isdisjoint({f"--{PROCESSES.name}", "--master", "--worker", "--config"})


@click.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@with_process_options
@with_options()
def command(**options: Any) -> None:
    """Climb a ladder of callers against a server, headless, and report stage by stage.

    Every option can also be set by environment: STT_LOAD_HOLD for --hold. Where one process would be late with so many
    callers, the run takes more of them, as with --processes auto, and says so. Options that are not listed here go to
    Locust, for example --master with --expect-workers 3. The API key of the server is read from STT_LOAD_API_KEY.
    """
    become_locust(options, click.get_current_context().args)


def become_locust(
    options: dict[str, Any],
    extra: Sequence[str],
    locustfile: str = "ladder.py",
    problems: Sequence[str] = (),
    plan: PlanKind = PlanKind.LADDER,
) -> NoReturn:
    """Replaces this process by Locust on the locustfile. Raises ConfigError with everything that is wrong before:
    `problems`, which are known already, the words for Locust, and what `check` finds."""
    options["live"] = True
    with hearing(leave_before_start):
        words, wrong_words = take_process_words(options, extra)
        config = check(options, [*problems, *wrong_words, *find_contradictions(options)])
        line = locust_command(options, with_enough_processes(words, config, plan), locustfile)
        flush_streams()
        _empty_standard_input()
        with held_back():
            os.execve(line[0], line, locust_environment(options))  # one process: signals and the exit code are Locust's


def _empty_standard_input() -> None:
    """Lets nothing be read from the terminal. Locust would change the number of callers at a key that is pressed by
    mistake, and a run in the background would be stopped by the kernel as soon as Locust looks for keys."""
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
