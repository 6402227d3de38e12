"""Every option, declared once, and the frozen configuration they become.

The command line, Locust's own command line and the web UI are all made from `OPTIONS`; nothing further in reads
flags or the environment. `parse_options` reports every problem at once.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from stt_load.dialects.base import Capabilities, Settings
from stt_load.dialects.options import one_of
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.kinds import KINDS, STREAM, LoadKind, dialect_names, kind_of
from stt_load.metrics.slo import ONLY_OF, Slo, parse_slo
from stt_load.options import (
    DEFAULT_CONCURRENCY,
    DEFAULT_PORTS,
    parse_duration_range_s,
    parse_duration_s,
    parse_gpus,
    parse_http_url,
    parse_label,
    parse_ladder,
    parse_number_above_zero,
    parse_positive_duration_s,
    parse_process,
    parse_sidecars,
    parse_text,
    parse_url,
    whole_number_from,
    with_path_of,
)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run was asked to do. Durations in seconds."""

    stt_url: str
    dialect: str  # or the name of an upload or speech API
    dialect_options: Mapping[str, Any]  # every one that the dialect has
    insecure: bool
    concurrency: tuple[int, ...]
    hold_s: float
    rounds: int | None
    at_least: int
    pause_s: tuple[float, float]
    utterances_per_connection: int
    arrival: Literal["random", "together"]
    ramp_rate: float
    settle_s: float
    end: Literal["client", "server"]
    timeout_s: float
    frame_ms: float
    trailing_silence_s: float
    clips: str | None
    tts_url: str | None
    slos: tuple[Slo, ...]
    gpu_sidecars: tuple[str, ...]  # a URL each, or `local`
    gpu_id: str | None
    server_process: str | None
    results: str
    label: str
    output: str | None
    seed: int
    verbose: bool
    live: bool

    @property
    def kind(self) -> LoadKind:
        return kind_of(self.dialect)


@dataclass(frozen=True, slots=True)
class Option:
    """One option. `name` is the flag without dashes; the environment variable is derived from it.

    `parse` turns its text into the value of the `RunConfig` field `into`. A `default` of None leaves the field None.
    """

    name: str
    into: str
    default: str | None
    parse: Callable[[str], Any]
    metavar: str
    help: str
    is_flag: bool = False
    is_multiple: bool = False
    in_web_ui: bool = True

    @property
    def key(self) -> str:
        return self.name.replace("-", "_")

    @property
    def env_var(self) -> str:
        return f"STT_LOAD_{self.key.upper()}"


OPTIONS: tuple[Option, ...] = (
    Option("stt-url", "stt_url", None, parse_text, "URL", "the server under test; default: the dialect's own"),
    Option("dialect", "dialect", "parakeet", one_of(*dialect_names()), "NAME", "what the server speaks: see `stt-load dialects`"),
    Option("dialect-option", "dialect_options", None, parse_text, "KEY=VALUE", "an option of the dialect, as often as needed: see `stt-load dialects NAME`", is_multiple=True, in_web_ui=False),
    Option("insecure", "insecure", "", bool, "", "take any certificate of a wss server, self-signed ones too", is_flag=True),
    Option("concurrency", "concurrency", DEFAULT_CONCURRENCY, parse_ladder, "N,N,…", "callers of each stage, in order"),
    Option("hold", "hold_s", "60s", parse_positive_duration_s, "TIME", "how long each stage is held once all callers are there"),
    Option("rounds", "rounds", None, whole_number_from(1), "N", "instead of --hold: every caller sends N utterances, the first of all together"),
    Option("at-least", "at_least", "1", whole_number_from(0), "N", "hold on until N counted utterances have begun too"),
    Option("pause", "pause_s", "0s", parse_duration_range_s, "TIME", "pause between a caller's utterances: 2s, or 1..3s for a random one"),
    Option("utterances-per-connection", "utterances_per_connection", "1", whole_number_from(1), "N", "how many utterances a caller speaks before it dials anew"),
    Option("arrival", "arrival", "random", one_of("random", "together"), "HOW", "callers start at a random moment of a clip's length, or together"),
    Option("ramp-rate", "ramp_rate", "10", parse_number_above_zero, "N", "callers that arrive per second"),
    Option("settle", "settle_s", "3s", parse_duration_s, "TIME", "calm between stages, so that one doesn't load the next"),
    Option("end", "end", "", parse_text, "WHO", "who ends an utterance, client or server; default: the dialect's own"),
    Option("timeout", "timeout_s", "30", parse_positive_duration_s, "TIME", "how long after the last frame a transcript is waited for; of an upload, how long a whole request may take"),
    Option("frame-ms", "frame_ms", "100", parse_number_above_zero, "MS", "audio per message; made to fit what the server takes whole"),
    Option("trailing-silence", "trailing_silence_s", None, parse_duration_s, "TIME", "silence sent after each clip; default: what the dialect's server needs to notice the end, 0 where the client tells it"),
    Option("clips", "clips", None, parse_text, "FOLDER", "audio with reference texts; default: English sentences rendered once by espeak"),
    Option("tts-url", "tts_url", None, parse_http_url, "URL", "a TTS server (POST /tts or /v1/audio/speech) that speaks the texts instead of espeak"),
    Option("slo", "slos", None, parse_text, "SLO", f"a bound to meet, as often as needed; default: {', '.join(STREAM.default_slos)}", is_multiple=True, in_web_ui=False),
    Option("gpu-sidecar", "gpu_sidecars", "off", parse_sidecars, "URL|local|off,…", "where samples of GPUs, host and server come from; local starts a sidecar on this machine"),
    Option("gpu-id", "gpu_id", None, parse_gpus, "ID,…|all|none", "which GPUs a local sidecar samples, by index or UUID; default: those that the server uses"),
    Option("server-process", "server_process", None, parse_process, "HOW:WHAT", "whose CPU and memory a local sidecar samples: port:8000, pid:4242 or name:PATTERN; default: who listens at --stt-url"),
    Option("results", "results", "results", parse_text, "FOLDER", "where run folders are made", in_web_ui=False),
    Option("label", "label", "run", parse_label, "NAME", "ends the run folder's name"),
    Option("output", "output", None, parse_text, "FILE", "also copy stages.csv, or summary.json where FILE ends in .json", in_web_ui=False),
    Option("seed", "seed", "1", whole_number_from(0), "N", "which clips, pauses and phases are drawn"),
    Option("verbose", "verbose", "", bool, "", "log each message of each caller with its time", is_flag=True),
    Option("live", "live", "", bool, "", "show a live panel (plain lines where the output is no terminal)", is_flag=True, in_web_ui=False),
)  # fmt: skip


def parse_options(raw: Mapping[str, object]) -> RunConfig:
    """Text values by option key (missing or None: the default) → RunConfig.

    Raises ConfigError with one line for every problem.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for option in OPTIONS:
        try:
            values[option.into] = _value(option, raw.get(option.key))
        except ValueError as error:
            problems.append(f"--{option.name}: {error}")
    kind = kind_of(values.get("dialect"))
    problems = [*_settle_url(values, kind), *problems, *_settle_slos(values, kind), *_settle_server(values, kind)]
    problems += _settle_sidecars(values)
    if problems:
        raise ConfigError(problems)
    return RunConfig(**values)


def _value(option: Option, given: object) -> Any:
    if option.is_flag:
        return str(given).lower() in ("true", "1", "yes") if given is not None else False
    if option.is_multiple:
        return [given] if isinstance(given, str) and given else list(given) if isinstance(given, (list, tuple)) else []
    text = option.default if given is None or given == "" else str(given)
    return None if text is None else option.parse(text)


def _settle_url(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """What schemes it may have depends on the kind of load."""
    try:
        values["stt_url"] = values["stt_url"] and parse_url(values["stt_url"], kind.url_schemes)
    except ValueError as error:
        return [f"--stt-url: {error}"]
    return []


def _settle_slos(values: dict[str, Any], kind: LoadKind) -> list[str]:
    problems: list[str] = []
    slos: list[Slo] = []
    for text in values.get("slos") or kind.default_slos:
        try:
            slo = parse_slo(text)
        except ConfigError as error:
            problems += error.problems
            continue
        slos.append(slo)
        if kind.name not in ONLY_OF.get(slo.metric, KINDS):
            problems.append(f"--slo {text!r}: a run of kind {kind.name} has no {slo.metric}: leave it out")
    values["slos"] = tuple(slos)
    return problems


def _settle_server(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """Fill in what the row of the server decides, and refuse what can't be had with it."""
    return _settle_dialect(values) if kind.is_paced else _settle_request(values, kind)


def _settle_dialect(values: dict[str, Any]) -> list[str]:
    """Fill in what the dialect decides, and refuse what it can't do."""
    row = DIALECTS.get(values.get("dialect", ""))
    if row is None:
        return []
    try:
        values["dialect_options"] = row.parse_options(values["dialect_options"])
    except ConfigError as error:
        return list(error.problems)
    if values["stt_url"] is None:
        values["stt_url"] = row.default_url
    able = row.make(Settings(values["dialect_options"])).capabilities
    values["end"] = values.get("end") or able.ends[0]
    if values["end"] not in able.ends:
        return [f"--end: {row.name} can only have its utterances ended by {' or '.join(able.ends)}"]
    able = row.make(Settings(values["dialect_options"], values["end"])).capabilities  # which may depend on the end
    problems = []
    if values.get("utterances_per_connection", 1) > 1 and not able.many_utterances:
        problems.append(f"--utterances-per-connection: {row.name} takes one utterance a connection: leave it out")
    shortest_ms, longest_ms = able.frame_ms
    if not shortest_ms <= values.get("frame_ms", shortest_ms) <= longest_ms:
        problems.append(f"--frame-ms: {row.name} takes messages of {shortest_ms:g} to {longest_ms:g} ms only")
    return problems + _settle_silence(values, row.name, able)


def _settle_request(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """One request each on a connection of its own, without frames: what only callers who speak can have is refused."""
    row = kind.dialect_rows()[values["dialect"]]
    problems = [
        f"--{name}: {row.name} sends whole requests, each on a connection of its own: leave it out"
        for name, is_asked in (
            ("end", bool(values.get("end"))),
            ("trailing-silence", values.get("trailing_silence_s") is not None),
            ("utterances-per-connection", values.get("utterances_per_connection", 1) > 1),
        )
        if is_asked
    ]
    try:
        values["dialect_options"] = row.parse_options(values["dialect_options"])
    except ConfigError as error:
        problems += error.problems
    values["stt_url"] = with_path_of(row.default_url, values["stt_url"] or row.default_url)
    values |= {"end": "client", "trailing_silence_s": 0.0}
    return problems


def _settle_silence(values: dict[str, Any], name: str, able: Capabilities) -> list[str]:
    is_told = values["end"] == "client"
    if values.get("trailing_silence_s", 0.0) is None:
        values["trailing_silence_s"] = 0.0 if is_told else able.trailing_silence_s
    silence_s = values.get("trailing_silence_s")
    if silence_s is None or is_told or silence_s >= able.min_trailing_silence_s:
        return []
    return [
        f"--trailing-silence: {silence_s:g} s is too short for {name}, which never answers with less than "
        f"{able.min_trailing_silence_s:g} s"
    ]


def _settle_sidecars(values: dict[str, Any]) -> list[str]:
    """A local sidecar looks after the server where that is on this machine; the others know theirs."""
    if "local" in values.get("gpu_sidecars", ("local",)):
        values["server_process"] = values.get("server_process") or listener_at(values.get("stt_url"))
        return []
    return [
        f"--{name}: only a local sidecar takes it from here: add local to --gpu-sidecar, or start the other one with it"
        for name in ("gpu-id", "server-process")
        if values.get(name.replace("-", "_")) is not None
    ]


def listener_at(url: str | None) -> str | None:
    """`port:8000` where the URL leads to this machine; None elsewhere."""
    parts = urlsplit(url or "")
    return f"port:{parts.port or DEFAULT_PORTS[parts.scheme]}" if _is_loopback(parts.hostname or "") else None


def _is_loopback(host: str) -> bool:
    """`localhost`, 127.x.x.x and ::1. A name is not looked up."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
