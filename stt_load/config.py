"""What a run was asked to do: the texts of all options become one frozen `RunConfig`.

Nothing further in reads flags or the environment. `parse_options` reports every problem at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from stt_load.capacity.arrivals import AT_ONCE_PER_S, LONGEST_CALL_S, CallLoad, CallRate
from stt_load.dialects.base import Capabilities, Settings
from stt_load.dialects.registry import find_dialect
from stt_load.errors import ConfigError
from stt_load.kinds import STREAM, LoadKind, kind_of
from stt_load.metrics.slo import Slo, parse_slo
from stt_load.option_values import DEFAULT_PORTS, completed_by, is_loopback, parse_url
from stt_load.options import OPTIONS, Course, Option
from stt_load.server_metrics.choice import ServerMetric, parse_server_metric
from stt_load.text.url_secrets import without_credentials

DEFAULT_NOISE, DEFAULT_SNR_DB = "babble", 20.0
DEFAULT_FRAME_MS = 100.0
_OF_A_CLOSED_LOOP = ("concurrency", "rounds", "arrival", "spike", "ramp-down", "soak")
_WHOLE_CALL = 1_000_000  # utterances over one connection: more than fit into a call
_COURSES = {"spike": "spike", "ramp-down": "ramps_down", "soak": "soak_s"}  # option -> field


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run was asked to do. Durations in seconds."""

    stt_url: str
    dialect: str  # or the name of an upload or speech API
    dialect_options: Mapping[str, Any]  # every one that the dialect has
    insecure: bool
    concurrency: tuple[int, ...]
    first_users: int  # of a search; so are the next three
    most_users: int
    within_ratio: float
    repeats: int
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
    connect_timeout_s: float  # these two as they were typed
    ready_timeout_s: float
    frame_ms: float
    trailing_silence_s: float
    clips: str | None
    has_strict_bounds: bool  # clips whose end of speech is uncertain are refused
    language: str | None  # a code; None: guessed from the references
    tts_url: str | None
    codecs: tuple[str | None, ...]  # None: as it is; so in the next three
    noise: str | None  # its name, or a file
    snrs_db: tuple[float | None, ...]
    levels_dbfs: tuple[float | None, ...]
    speeds: tuple[float | None, ...]
    joins_s: tuple[float | None, ...]
    pauses_in_speech_s: tuple[float | None, ...]
    silence_ratio: float  # of callers who never speak
    slos: tuple[Slo, ...]
    is_strict: bool  # every objective must be proven
    aborts_on_fail: bool
    has_whole_holds: bool
    gpu_sidecars: tuple[str, ...]  # a URL each, or `local`
    gpu_id: str | None
    server_process: str | None
    metrics: tuple[str, int] | None  # host and port that Prometheus reads
    otlp_endpoint: str | None  # a URL, or `env`
    server_metrics: str | None  # where the server's own metrics are read
    kept_server_metrics: tuple[ServerMetric, ...]
    results: str
    label: str
    output: str | None
    seed: int
    verbose: bool
    live: bool
    tokens_per_s: float | None  # None where no text is fed in pieces
    barge_in_s: float | None  # None: callers listen to the end
    spike: tuple[int, int, int] | None  # callers before it, in it and after it, which are `concurrency` then
    spike_hold_s: float
    ramps_down: bool  # `concurrency` has the way down, too
    soak_s: float | None  # which is `hold_s` then
    arrivals: tuple[CallRate, ...] | None  # one a stage; None: callers stay, as many as `concurrency` says
    call_s: float | None  # the mean call
    warm_up_s: float | None

    @property
    def kind(self) -> LoadKind:
        return kind_of(self.dialect)

    @property
    def course(self) -> Course:
        """How the number of callers changes over the stages, by the one option that says so."""
        if self.spike is not None:
            return Course.SPIKE
        if self.soak_s is not None:
            return Course.SOAK
        return Course.RAMP_DOWN if self.ramps_down else Course.LADDER

    @property
    def native_codec(self) -> str | None:
        """The codec in which audio is sent as it is: the only one that was asked for, where the dialect has it."""
        codecs = server_row(self.dialect).dialect.codecs if self.kind.is_paced and len(self.codecs) == 1 else {}
        return self.codecs[0] if self.codecs[0] in codecs else None

    @property
    def search_terms(self) -> dict[str, Any]:
        """What a search goes by, as `CapacitySearch` takes it."""
        return {
            "first": self.first_users,
            "most": self.most_users,
            "within_ratio": self.within_ratio,
            "repeats": self.repeats,
        }

    @property
    def call_loads(self) -> tuple[CallLoad, ...]:
        """The calls of each stage; empty without --arrivals."""
        opening_per_s = min(self.ramp_rate, AT_ONCE_PER_S)
        return tuple(
            CallLoad(rate.text, rate.per_s, self.call_s or 0.0, opening_per_s, self.seed, stage)
            for stage, rate in enumerate(self.arrivals or ())
        )

    @property
    def most_callers(self) -> int:
        """Callers of the largest stage of a ladder; with --arrivals as many as may come to be on the line at once."""
        return max((load.likely_peak for load in self.call_loads), default=max(self.concurrency))

    @property
    def connect_limit_s(self) -> float:
        """From the dial to the open connection, upgrade included."""
        return max(self.connect_timeout_s, self.timeout_s)

    @property
    def ready_limit_s(self) -> float:
        """From the upgrade to the server's ready message."""
        return max(self.ready_timeout_s, self.timeout_s)


def parse_options(raw: Mapping[str, object]) -> RunConfig:
    """Turns texts by option key (missing or None: the default) into a RunConfig.

    Raises ConfigError with one line for every problem.
    """
    values: dict[str, Any] = {}
    problems: list[str] = []
    for option in OPTIONS:
        if option.is_secret:
            continue
        try:
            values[option.field] = _value(option, raw.get(option.key))
        except ValueError as error:
            problems.append(f"--{option.name}: {error}")
    kind = kind_of(values.get("dialect"))
    problems = [*_settle_url(values, kind), *problems, *_settle_slos(values, kind)]
    problems += _refuse_options_of_other_kinds(values, kind)
    problems += [
        *_settle_server(values, kind),
        *_settle_noise(values),
        *_find_speed_problems(values),
        *_settle_sidecars(values),
        *_settle_server_metrics(values),
        *_find_search_problems(values),
        *_settle_arrivals(values),
        *_settle_course(values),
    ]
    if problems:
        raise ConfigError(problems)
    return RunConfig(**values)


def _value(option: Option, given: object) -> Any:
    if option.is_multiple:
        return [given] if isinstance(given, str) and given else list(given) if isinstance(given, (list, tuple)) else []
    text = option.default if given is None or given == "" else str(given)
    return None if text is None else option.parse(text)


def server_row(name: str) -> Any:
    """The row of a server, of whatever kind of load. ConfigError where there is none of that name."""
    kind = kind_of(name)
    return find_dialect(name) if kind is STREAM else kind.dialect_rows()[name]


def _settle_url(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """Which schemes the URL may have depends on the server, or on the kind of load where nobody knows the server."""
    schemes = server_row(values["dialect"]).url_schemes if "dialect" in values else kind.url_schemes
    try:
        values["stt_url"] = values["stt_url"] and parse_url(values["stt_url"], schemes)
    except ValueError as error:
        return [f"--stt-url: {error}"]
    return []


def _settle_slos(values: dict[str, Any], kind: LoadKind) -> list[str]:
    problems: list[str] = []
    slos: list[Slo] = []
    given = [part.strip() for text in values.get("slos", ()) for part in text.split(",")]  # a variable has several
    for text in given or kind.default_slos:
        try:
            slo = parse_slo(text)
        except ConfigError as error:
            problems += error.problems
            continue
        slos.append(slo)
        if kind not in slo.figure.kinds:
            problems.append(f"--slo {text!r}: a run of kind {kind.name} has no {slo.figure.name}: leave it out")
    values["slos"] = tuple(slos)
    return problems


def _settle_server(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """Fills in what the row of the server decides, and refuses what can't be had with it."""
    return _settle_dialect(values) if kind.is_paced else _settle_request(values, kind)


def _settle_dialect(values: dict[str, Any]) -> list[str]:
    """Fills in what the dialect decides, and refuses what it can't do."""
    if "dialect" not in values:  # there is no such dialect, which has its line already
        return []
    row = server_row(values["dialect"])
    try:
        values["dialect_options"] = row.parse_options(values["dialect_options"])
    except ConfigError as error:
        return list(error.problems)
    values["stt_url"] = completed_by(row.default_url, values["stt_url"] or row.default_url, is_root_bare=False)
    able = row.make(Settings(values["dialect_options"])).capabilities
    values["end"] = values.get("end") or able.ends[0]
    if values["end"] not in able.ends:
        return [f"--end: {row.name} can only have its utterances ended by {' or '.join(able.ends)}"]
    able = row.make(Settings(values["dialect_options"], values["end"])).capabilities  # which may depend on the end
    problems = []
    utterances = values.setdefault("utterances_per_connection", 1)
    if utterances is None:
        is_whole_call = bool(values.get("arrivals")) and able.many_utterances
        values["utterances_per_connection"] = _WHOLE_CALL if is_whole_call else 1
    elif utterances > 1 and not able.many_utterances:
        problems.append(f"--utterances-per-connection: {row.name} takes one utterance a connection: leave it out")
    if values.get("barge_in_s") is not None and values.get("utterances_per_connection", 1) > 1:
        problems.append(
            "--barge-in: a connection ends with the answer that was broken in on: leave --utterances-per-connection out"
        )
    shortest_ms, longest_ms = able.frame_ms
    if values.get("frame_ms", shortest_ms) is None:
        values["frame_ms"] = min(max(DEFAULT_FRAME_MS, shortest_ms), longest_ms)
    if not shortest_ms <= values.get("frame_ms", shortest_ms) <= longest_ms:
        problems.append(f"--frame-ms: {row.name} takes messages of {able.frame_lengths} only")
    return problems + _settle_silence(values, row.name, able)


def _settle_request(values: dict[str, Any], kind: LoadKind) -> list[str]:
    """Uploads and TTS requests: one whole request on each connection, without frames."""
    row = server_row(values["dialect"])
    problems: list[str] = []
    try:
        values["dialect_options"] = row.parse_options(values["dialect_options"])
    except ConfigError as error:
        problems += error.problems
    values["stt_url"] = completed_by(row.default_url, values["stt_url"] or row.default_url)
    values |= {"end": "client", "trailing_silence_s": 0.0, "frame_ms": DEFAULT_FRAME_MS}
    if kind.is_synthesised:
        try:
            values["tokens_per_s"] = row.pace_of_text(values.get("tokens_per_s"))
        except ValueError as error:
            problems.append(f"--tokens-per-second: {error}")
    if values.get("utterances_per_connection", 1) is None:
        values["utterances_per_connection"] = 1
    return problems


def _settle_noise(values: dict[str, Any]) -> list[str]:
    """Noise has a level, and a level is one of some noise."""
    if "snrs_db" not in values:  # it has its line already
        return []
    noise, snrs_db = values.get("noise"), values["snrs_db"]
    if noise is None and any(snr_db is not None for snr_db in snrs_db or ()):
        values["noise"] = DEFAULT_NOISE
    values["snrs_db"] = snrs_db or ((DEFAULT_SNR_DB,) if noise else (None,))
    if noise is not None and values["snrs_db"] == (None,):
        return ["--noise: with --snr clean nobody hears it: leave one of them out"]
    return []


def _refuse_options_of_other_kinds(values: Mapping[str, Any], kind: LoadKind) -> list[str]:
    """One line for each option that was set and means nothing to this kind of load."""
    return [
        f"--{option.name}: means nothing with --dialect {values['dialect']}: leave it out"
        for option in OPTIONS
        if kind not in option.kinds and _is_set(option.name, values)
    ]


def _settle_silence(values: dict[str, Any], name: str, able: Capabilities) -> list[str]:
    """Fills in the trailing silence that the server needs, and refuses less than it can do with."""
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


def _find_speed_problems(values: Mapping[str, Any]) -> list[str]:
    given = next((name for name in ("clips", "tts-url") if values.get(name.replace("-", "_"))), None)
    if given is None or values.get("speeds", (None,)) == (None,):
        return []
    return [
        f"--speed: only the clips of espeak can be spoken again: leave --{given} out, or leave --speed out and give "
        "clips of somebody who talks fast"
    ]


def _settle_sidecars(values: dict[str, Any]) -> list[str]:
    """A local sidecar samples the server where that is on this machine; other sidecars are told when they start."""
    if "local" in values.get("gpu_sidecars", ("local",)):
        values["server_process"] = values.get("server_process") or listener_at(values.get("stt_url"))
        return []
    return [
        f"--{name}: only a local sidecar takes it from here: add local to --gpu-sidecar, or start the other one with it"
        for name in ("gpu-id", "server-process")
        if values.get(name.replace("-", "_")) is not None
    ]


def _find_search_problems(values: Mapping[str, Any]) -> list[str]:
    first, most = values.get("first_users", 1), values.get("most_users", math.inf)
    problems = []
    if first > most:
        problems.append(f"--from: {first} is more than --max {most}: lower it, or raise --max")
    if values.get("aborts_on_fail") and values.get("has_whole_holds"):
        problems.append("--whole-holds: it says the opposite of --abort-on-fail: leave one of them out")
    return problems


def _settle_course(values: dict[str, Any]) -> list[str]:
    """Fills in the stages of a course that is no plain ladder, and refuses what can't be had with it."""
    ladder = values.get("concurrency", ())
    named = [name for name, field in _COURSES.items() if values.get(field)]
    if values.get("arrivals"):  # which refuses each of them
        return []
    if values.get("spike", ()) is None and _is_set("spike-hold", values):
        return ["--spike-hold: means nothing without --spike: name the callers as well, as in --spike 5,40,5"]
    if not named:
        return []
    problems = [f"--{name}: a run has one course: leave it out, or --{named[0]}" for name in named[1:]]
    if values.get("aborts_on_fail") and named[0] != "soak":
        problems.append(f"--abort-on-fail: --{named[0]} is about what comes after the largest stage: leave it out")
    if values.get("rounds") and named[0] != "ramp-down":
        problems.append(f"--rounds: --{named[0]} is about time: leave it out")
    match named[0]:
        case "spike":
            values["concurrency"] = values["spike"]
        case "soak" if len(ladder) != 1:
            problems.append("--soak: one number of callers is held: name it, as in --concurrency 20")
        case "soak":
            values["hold_s"] = values["soak_s"]
        case _ if ladder and (ladder[-1] < max(ladder) or len(set(ladder)) == 1):
            problems.append("--ramp-down: callers leave after the largest stage: end --concurrency with it, as in 1,5")
        case _:
            down = sorted({users for users in ladder if users < max(ladder)}, reverse=True)
            values["concurrency"] = (*ladder, *down)
    return problems


def _settle_arrivals(values: dict[str, Any]) -> list[str]:
    """What an open loop takes, and what means nothing to it. Its `concurrency` is that of its calls."""
    if "arrivals" not in values:  # it has its line already
        return []
    if values["arrivals"] is None:
        lost = [name for name in ("call", "warm-up") if values.get(f"{name.replace('-', '_')}_s") is not None]
        problems = [f"--{name}: means nothing without --arrivals: name the rate of calls as well" for name in lost]
        return problems + [
            f"--slo {slo.text!r}: only a run with --arrivals has calls that are refused: leave it out"
            for slo in values.get("slos", ())
            if slo.figure.name == "refused"
        ]
    closed = [name for name in _OF_A_CLOSED_LOOP if _is_set(name, values)]
    problems = [f"--{name}: means nothing with --arrivals: leave one of them out" for name in closed]
    if values.get("call_s", 0.0) is None:
        problems.append("--arrivals: how long does a call last? Say it with --call, as in --call 90s")
    elif values.get("call_s", 0.0) > LONGEST_CALL_S:
        problems.append(f"--call: {LONGEST_CALL_S:,.0f} s at most: a run is over long before such a call")
    elif values.get("call_s"):
        values["concurrency"] = tuple(max(1, math.ceil(rate.per_s * values["call_s"])) for rate in values["arrivals"])
    return problems


def _is_set(name: str, values: Mapping[str, Any]) -> bool:
    """Whether an option has another value than its default."""
    option = next(option for option in OPTIONS if option.name == name)
    return option.field in values and values[option.field] != _value(option, None)


def one_url(stt_url: str | None, host: str | None) -> str | None:
    """The URL of the server by both its names. Raises ConfigError where they name different servers."""
    if stt_url and host and host not in (stt_url, without_credentials(stt_url)):
        raise ConfigError(
            "--host (LOCUST_HOST) and --stt-url (STT_LOAD_STT_URL) name different servers: give one of them"
        )
    return stt_url or host


def _settle_server_metrics(values: dict[str, Any]) -> list[str]:
    metrics, problems = [], []
    for text in values.get("kept_server_metrics", ()):
        try:
            metrics.append(parse_server_metric(text))
        except ValueError as error:
            problems.append(f"--server-metric: {error}")
    if metrics and values.get("server_metrics", "") is None:
        problems.append("--server-metric: there is no place to read it from: name the URL as well")
    values["kept_server_metrics"] = tuple(dict.fromkeys(metrics))
    return problems


def url_note(given_url: object, config: RunConfig) -> str | None:
    """What to say where another URL is called than the one that was typed, or none was; None elsewhere."""
    if not given_url:
        return f"no --stt-url was given: {without_credentials(config.stt_url)} is called, as usual for {config.dialect}"
    given, called = urlsplit(str(given_url)), urlsplit(config.stt_url)
    taken = [] if given.port == called.port else [f"no port: {called.port} is taken"]
    if given.path in ("", "/") and called.path not in ("", "/"):
        taken.append(f"no path: {called.path} is taken")
    return f"the URL has {'; '.join(taken)}, the one of {config.dialect}" if taken else None


def is_near(url: str) -> bool:
    """Whether the URL leads to this machine."""
    return is_loopback(urlsplit(url).hostname or "")


def listener_at(url: str | None) -> str | None:
    """`port:8000` where the URL leads to this machine; None elsewhere."""
    parts = urlsplit(url or "")
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)  # a URL that is wrong, and is told so, may have none
    return f"port:{port}" if port and is_near(url or "") else None
