"""`stt-load tts`: how fast a server speaks. Each text by itself, or with --concurrency the ladder."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from stt_load.audio.texts import Texts
from stt_load.cli.clips import read_texts
from stt_load.cli.run import become_locust, with_options
from stt_load.credentials import TTS_KEY_VARIABLE, read_credentials, sidecar_token
from stt_load.errors import ConfigError, ExitCode, WriteError
from stt_load.kinds import TTS
from stt_load.option_values import (
    completed_by,
    listener_at,
    parse_gpus,
    parse_number_above_zero,
    parse_positive_duration_s,
    parse_sidecars,
    parse_url,
)
from stt_load.options import OPTIONS, PlanKind, options_of
from stt_load.process.atomic_file import write_atomically
from stt_load.process.data_folder import rescue_folders
from stt_load.process.standard_streams import print_in_background
from stt_load.report.terminal import PIPE_WIDTH
from stt_load.run.preflight import unreachable, unwritable
from stt_load.sidecar.client import SidecarClient
from stt_load.sidecar.local import LocalSidecar
from stt_load.text.printable import printable
from stt_load.text.url_secrets import without_credentials
from stt_load.tts.apis import TTS_APIS
from stt_load.tts_benchmark.benchmark_run import BenchmarkRun
from stt_load.tts_benchmark.gpu_watch import GpuWatch
from stt_load.tts_benchmark.results import Benchmark, result_json, with_streaming_known
from stt_load.tts_benchmark.table import explanations, result_tables
from stt_load.workloads.tts import speech_client

_PREFIX = "tts-"
_NAMES = [name.removeprefix(_PREFIX) for name in TTS_APIS]
_TYPE = re.compile(r"[A-Za-z0-9._-]{1,60}")
_STANDARD = "standard-"
_SHARED = ("dialect-option", "tokens-per-second", "header", "insecure", "gpu-sidecar", "gpu-id", "results")
_OF_ITS_OWN = ("stt-url", "dialect", "timeout", "concurrency", "live")  # declared here in other words, or always on
_OF_THE_LADDER = tuple(
    option.name
    for option in options_of(PlanKind.LADDER)
    if TTS in option.kinds and option.name not in (*_SHARED, *_OF_ITS_OWN)
)
_OF_SINGLE_TEXTS = {"warm-up": "warm_up", "runs": "runs", "texts": "texts_from"} | {
    name: name.replace("-", "_") for name in ("benchmark-type", "configuration")
}


@click.command("tts", context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.option(
    "--url", metavar="URL", help="The URL of the server; http://HOST:PORT is enough. [default: the API's own]"
)
@click.option(
    "--api", type=click.Choice(_NAMES), default=_NAMES[0], show_default=True, help="The API that the server speaks."
)
@click.option(
    "--warm-up", default=5, show_default=True, metavar="N", help="How many requests come before the ones that count."
)
@click.option("--runs", default=20, show_default=True, metavar="N", help="How many requests count, of each text.")
@click.option(
    "--texts",
    "--text",
    "texts_from",
    default="standard",
    show_default=True,
    metavar="FILE",
    help="The texts to speak: standard or english (shipped), a .txt with one text a line, a .json list or object of "
    "id and text, or .jsonl or .csv with a column of texts.",
)
@click.option("--timeout", default="120s", show_default=True, metavar="TIME", help="How long one request may take.")
@click.option("--benchmark-type", metavar="NAME", help="The beginning of the file's name. [default: tts_ and the API]")
@click.option(
    "--configuration",
    metavar="KEY=VALUE",
    multiple=True,
    help="Something about the server to note in the file, like optimization=fp16; can be repeated.",
)
@with_options(_SHARED)
@with_options(("concurrency", *_OF_THE_LADDER), {"concurrency": "", "slo": ", ".join(TTS.default_slos)})
def command(concurrency: str | None, **given: Any) -> None:
    """How fast a server speaks: time to first audio, gaps, total time and RTF of each text by itself.

    Writes BENCHMARK-TYPE_DATE_TIME.json. Ends with 3 where a request failed. With --concurrency it climbs a ladder of
    streams at once, as `stt-load run --dialect tts-NAME` does; the options below --concurrency are for that ladder
    alone. The API key of the server is read from STT_LOAD_TTS_API_KEY.
    """
    context = click.get_current_context()

    def is_given(parameter: str) -> bool:
        return context.get_parameter_source(parameter) is ParameterSource.COMMANDLINE

    if concurrency is not None:
        problems = [
            f"--{name}: is for texts one by one: leave it out, or leave out --concurrency"
            for name, parameter in _OF_SINGLE_TEXTS.items()
            if is_given(parameter)
        ]
        try:
            become_locust(_ladder_options(given, concurrency), context.args, "tts.py", problems)
        except ConfigError as error:  # the ladder calls the server's URL by another name
            raise ConfigError([re.sub("^--stt-url", "--url", line) for line in error.problems]) from error
    problems = [f"unknown option {word}: see --help" for word in context.args]
    for name in _OF_THE_LADDER:
        if is_given(name.replace("-", "_")):
            problems.append(f"--{name}: is for a ladder: add --concurrency, or leave it out")
    context.exit(_BenchmarkCommand(given, problems).run())


def _ladder_options(given: dict[str, Any], concurrency: str) -> dict[str, Any]:
    api = TTS_APIS[_PREFIX + given["api"]]
    # --warm-up is of both, in two senses.
    of_a_run = {option.key for option in OPTIONS} - set(_OF_SINGLE_TEXTS.values())
    named = {key: value for key, value in given.items() if key in of_a_run}
    url = given["url"] or api.default_url
    if url.partition(":")[0] in api.url_schemes:  # else the run says what is wrong with it, as it was typed
        url = completed_by(api.default_url, url)
    return {**named, "dialect": api.name, "stt_url": url, "concurrency": concurrency}


class _BenchmarkCommand:
    """The options, checked all at once, and the benchmark that they ask for."""

    def __init__(self, given: dict[str, Any], problems: list[str]) -> None:
        self._problems = problems
        self._given = given
        self._api = TTS_APIS[_PREFIX + given["api"]]
        url = given["url"] or self._api.default_url
        self._url = self._parsed("url", self._parse_url, url)
        self._tokens_per_s = self._parsed("tokens-per-second", self._pace_of_text, given["tokens_per_second"])
        self._timeout_s = self._parsed("timeout", parse_positive_duration_s, given["timeout"])
        self._places = self._parsed("gpu-sidecar", parse_sidecars, given["gpu_sidecar"]) or ()
        self._gpu_id = self._parsed("gpu-id", parse_gpus, given["gpu_id"])
        self._options = self._tried(lambda: self._api.parse_options(given["dialect_option"])) or {}
        self._credentials = self._tried(lambda: read_credentials(os.environ, TTS_KEY_VARIABLE, self._url or ""))
        self._texts: Texts = self._tried(lambda: read_texts(given["texts_from"])) or {}
        self._configuration = [self._parsed("configuration", _pair, text) for text in given["configuration"]]
        self._results = given["results"] or "results"
        self._type = given["benchmark_type"] or self._api.name.replace("-", "_")
        self._check_rest()
        if self._problems:
            raise ConfigError(self._problems)

    def _check_rest(self) -> None:
        for name, least in (("warm-up", 0), ("runs", 1)):
            if self._given[name.replace("-", "_")] < least:
                self._problems.append(f"--{name}: must be a whole number from {least}")
        if not _TYPE.fullmatch(self._type):
            self._problems.append(f"--benchmark-type {self._type}: letters, digits, dot, dash, underscore, 60 at most")
        problem = self._url and unreachable("--url", self._url)
        self._problems += [line for line in (problem, unwritable(self._results)) if line]

    def _parse_url(self, text: str) -> str:
        return completed_by(self._api.default_url, parse_url(text, self._api.url_schemes))

    def _pace_of_text(self, text: str) -> float | None:
        return self._api.pace_of_text(parse_number_above_zero(text))

    def _parsed(self, name: str, parse: Callable[[str], Any], text: str | None) -> Any:
        try:
            return None if text is None else parse(text)
        except (ValueError, ConfigError) as error:
            self._problems.append(f"--{name}: {error}")
            return None

    def _tried(self, make: Callable[[], Any]) -> Any:
        try:
            return make()
        except ConfigError as error:
            self._problems += error.problems
            return None

    def run(self) -> ExitCode:
        client = speech_client(
            self._api,
            self._url,
            self._options,
            self._tokens_per_s,
            self._timeout_s,
            self._credentials,
            not self._given["insecure"],
            self._timeout_s,
        )
        run = BenchmarkRun(client.synthesise, self._named_texts(), self._given["warm_up"], self._given["runs"])
        print_in_background()
        started_at, is_complete = time.time(), True
        with contextlib.ExitStack() as stack:
            watch = GpuWatch(self._clients(stack), run_id=uuid.uuid4().hex[:12])
            stack.callback(watch.close)
            progress = stack.enter_context(_progress_bar())
            try:
                run.run(watch, progress)
            except KeyboardInterrupt:
                is_complete = False
            benchmark = Benchmark(
                self._type,
                started_at,
                self._given["warm_up"],
                self._given["runs"],
                self._describe(watch.describe()),
                with_streaming_known(run.done),
                is_complete,
            )
        return self._conclude(benchmark)

    def _named_texts(self) -> Texts:
        """The five standard texts go by their own names in the file."""
        return {name.removeprefix(_STANDARD): text for name, text in self._texts.items()}

    def _clients(self, stack: contextlib.ExitStack) -> list[SidecarClient]:
        clients = []
        for place in self._places:
            if place == "local":
                local = stack.enter_context(LocalSidecar(self._gpu_id, listener_at(self._url)))
                clients.append(SidecarClient(local.url, local.token))
            else:
                clients.append(SidecarClient(place, sidecar_token(os.environ)))
        return clients

    def _describe(self, gpu: dict[str, Any]) -> dict[str, Any]:
        return {
            **gpu,
            "model": self._options.get("model"),
            "optimization": None,
            "batch_size": 1,
            "api": self._api.name,
            "url": without_credentials(self._url),
            "options": {key: value for key, value in self._options.items() if value is not None},
            **dict(self._configuration),
        }

    def _conclude(self, benchmark: Benchmark) -> ExitCode:
        console = Console(highlight=False, soft_wrap=True)
        if not console.is_terminal:
            console = Console(highlight=False, soft_wrap=True, width=PIPE_WIDTH)
        # First: nothing that is printed may lose it.
        path, failure = _write_somewhere(Path(self._results) / benchmark.file_name, result_json(benchmark))
        for table in result_tables(benchmark):
            console.print(table)
        for line in explanations(benchmark):
            console.print(f"  - {printable(line)}", markup=False)
        console.print(f"result file: {path or '(none)'}", markup=False)
        if failure is not None:
            raise WriteError(failure.problems)
        if not benchmark.is_complete:
            return ExitCode.ABORTED
        if not benchmark.completed:
            return ExitCode.NOT_BELIEVABLE
        return ExitCode.SLO_MISSED if benchmark.errors else ExitCode.FINE


def _write_somewhere(path: Path, content: str) -> tuple[Path | None, ConfigError | None]:
    """Writes the file, to another folder where its own does not take it. Returns where it is, and why it is not where
    it was to be."""
    failure: ConfigError | None = None
    for place in (path, *(folder / path.name for folder in rescue_folders())):
        try:
            write_atomically(place, content, make_folder=True)
            return place, failure
        except ConfigError as error:
            failure = failure or error
    return None, failure


def _pair(text: str) -> tuple[str, Any]:
    """Numbers, true, false and null are what they are in JSON; everything else is text."""
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise ValueError(f"{text!r} must be written KEY=VALUE, as in model=chatterbox-turbo")
    try:
        return key, json.loads(value, parse_constant=str)
    except ValueError:
        return key, value


@contextlib.contextmanager
def _progress_bar() -> Iterator[Callable[[str, int, int], None]]:
    columns = (TextColumn("speaking: {task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        yield lambda name, done, total: bar.update(task, description=name, completed=done, total=total)
