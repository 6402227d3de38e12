"""`stt-load`: parse, call, print. `main` turns every fault into one line and an exit code."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from difflib import get_close_matches
from importlib import import_module

import click

from stt_load import __version__
from stt_load.cli.interrupts import interruptible
from stt_load.errors import ConfigError, ExitCode, SttLoadError
from stt_load.process.standard_streams import protect_streams
from stt_load.run.fault import fault_line
from stt_load.text.printable import printable
from stt_load.text.url_secrets import without_secrets_of_urls

# Name → (module, one line of help). Modules are imported when they are needed: the help must come at once.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("stt_load.cli.demo", "Try it on this machine: a real recogniser, callers who talk to it, and the report."),
    "run": ("stt_load.cli.run", "Climb a ladder of callers against a server, headless."),
    "find": ("stt_load.cli.find", "Search for how many callers a server holds: one number, its interval, and why."),
    "matrix": (
        "stt_load.cli.matrix",
        "Walk conditions (codecs, noise, levels): word error rate and callers held under each.",
    ),
    "probe": (
        "stt_load.cli.probe",
        "Let one caller speak and show every message: run this first against a new server.",
    ),
    "tts": ("stt_load.cli.tts", "Measure how fast a TTS server speaks: each text by itself, or a ladder of streams."),
    "clips": ("stt_load.cli.clips", "Make clips with a TTS engine, or show a folder of them."),
    "serve": ("stt_load.cli.serve", "Run the embedded recogniser on a port."),
    "size": ("stt_load.cli.size", "Say what to deploy for so many callers: replicas, cost, latency, Kubernetes."),
    "ratio": ("stt_load.cli.ratio", "Compare two machines with the same server, to size one from the other."),
    "stress": (
        "stt_load.cli.stress",
        "Upload from more and more threads at one CPU limit: where does it throttle?",
    ),
    "report": ("stt_load.cli.report", "Rebuild every report file of a run folder from its raw files."),
    "compare": ("stt_load.cli.compare", "Compare results with each other and with targets, and say what is noise."),
    "history": ("stt_load.cli.history", "Show the runs of a folder over time, and check the newest for a regression."),
    "score": ("stt_load.cli.score", "Score a file of transcripts (WER and CER), without a run."),
    "calibrate": (
        "stt_load.cli.calibrate",
        "Measure how many callers this machine keeps on time.",
    ),
    "doctor": ("stt_load.cli.doctor", "Check this machine for a load test, and say how to fix what is wrong."),
    "dialects": ("stt_load.cli.dialects", "List the servers that stt-load can talk to."),
}


def import_command(words: Sequence[str]) -> click.Command | None:
    """The first of these words that is a command."""
    for name in words:
        if name in COMMANDS:
            command = import_module(COMMANDS[name][0]).command
            assert isinstance(command, click.Command)
            return command
    return None


def reads_our_variables(command: click.Command) -> bool:
    """Whether options of the command can be set by environment variables that begin with STT_LOAD_."""
    return any(str(parameter.envvar or "").startswith("STT_LOAD_") for parameter in command.params)


class LazyGroup(click.Group):
    """A group that knows its commands by name and imports the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        return import_command([cmd_name])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not (close := get_close_matches(args[0], COMMANDS, n=1)):
                raise
            raise click.UsageError(f"{error.message.rstrip('.')}: is it {close[0]}?", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="stt-load")
def cli() -> None:
    """How many live callers does this speech recognition server hold before the transcript is too late or wrong?

    Exit codes: 0 fine, 1 the program failed, 2 usage, 3 an SLO was missed, 4 the run is not valid,
    5 ended early (the summary is still written).
    """


def main(hears_signals: bool = True) -> None:
    """A command, from its words to its exit code. `hears_signals` False: another process does for this one."""
    protect_streams()
    command = import_command(sys.argv[1:])  # before signals become exceptions, which get lost in an import
    if command is not None and reads_our_variables(command):
        import_module("stt_load.locust_plugin.variables").tell_of_misspelt(os.environ)
    try:
        with interruptible() if hears_signals else nullcontext():
            code = cli.main(standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        print("interrupted", file=sys.stderr)
        code = ExitCode.ABORTED
    except click.ClickException as error:
        said = io.StringIO()
        error.show(said)  # with the word that it stumbled over, which may be a URL
        print(without_secrets_of_urls(said.getvalue()), end="", file=sys.stderr)
        code = ExitCode.USAGE
    except SttLoadError as error:
        for line in error.lines if isinstance(error, ConfigError) else (printable(str(error)),):
            print(f"error: {line}", file=sys.stderr)
        code = error.exit_code
    except OSError as error:  # a disk that is full or a folder that has gone, in the middle of something
        print(f"error: {printable(fault_line(error))}", file=sys.stderr)
        code = ExitCode.FAILED
    sys.exit(int(code or 0))
