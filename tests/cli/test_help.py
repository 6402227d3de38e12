"""Help must come at once: what is heavy is imported by the command that needs it."""

from __future__ import annotations

import subprocess
import sys

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


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_listed_and_has_help_of_its_own(name: str) -> None:
    assert name in CliRunner().invoke(cli, ["--help"]).stdout
    done = CliRunner().invoke(cli, [name, "--help"])
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"Usage: cli {name}")
