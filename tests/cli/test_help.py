"""Help must come at once: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from stt_load.cli import COMMANDS, cli

HEAVY = ("gevent", "jinja2", "locust", "msgspec", "numpy", "psutil", "requests", "rich", "soundfile", "websocket")


@pytest.mark.parametrize("line", [["--help"], ["-h"], ["--version"], [], ["no-such-command"]])
def test_nothing_heavy_is_imported_to_help(line: list[str]) -> None:
    look = (
        "import sys\n"
        "from stt_load.cli import main\n"
        "try:\n    main()\n"
        "except SystemExit:\n    pass\n"
        f"print('imported:', *sorted(set({HEAVY}) & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", look, *line], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1].strip() == "imported:"


def test_what_a_run_checks_before_it_becomes_locust_needs_neither_locust_nor_a_report() -> None:
    """Both are imported a moment later, by the process that takes this one's place."""
    look = "import sys, stt_load.cli.run; print(sorted({'gevent', 'jinja2', 'locust', 'rich'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_listed_and_has_help_of_its_own(name: str) -> None:
    assert name in CliRunner().invoke(cli, ["--help"]).stdout
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"Usage: cli {name}")


def commands_of(command: click.Command, name: str) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        for inner in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), inner)
            assert below is not None
            yield from commands_of(below, f"{name} {inner}")


@pytest.mark.parametrize("command", dict(commands_of(cli, "stt-load")).values(), ids=dict(commands_of(cli, "stt-load")))
def test_the_help_of_each_option_is_a_sentence(command: click.Command) -> None:
    """It begins with a capital letter, or with a value that can be typed, and ends with a full stop; the default may
    follow in brackets."""
    helps = [option.help or "" for option in command.params if isinstance(option, click.Option) and not option.hidden]
    assert [text for text in helps if not re.fullmatch(r"[A-Z0-9].*\.( \[default: [^\]]*\])?", text, re.DOTALL)] == []
