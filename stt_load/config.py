"""What a run was asked to do: the texts of all options become one frozen `RunConfig`.

Nothing further in reads flags or the environment. `parse_options` reports every problem at once; what options decide
about each other is in `option_rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from stt_load.capacity.arrivals import AT_ONCE_PER_S, CallLoad, CallRate
from stt_load.errors import ConfigError
from stt_load.kinds import LoadKind, kind_of
from stt_load.metrics.slo import Slo
from stt_load.option_rules import server_row, settle, value_of
from stt_load.options import OPTIONS, Course
from stt_load.server_metrics.choice import ServerMetric
from stt_load.text.url_secrets import without_credentials


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
            values[option.field] = value_of(option, raw.get(option.key))
        except ValueError as error:
            problems.append(f"--{option.name}: {error}")
    if problems := settle(values, problems):
        raise ConfigError(problems)
    return RunConfig(**values)


def one_url(stt_url: str | None, host: str | None) -> str | None:
    """The URL of the server by both its names. Raises ConfigError where they name different servers."""
    if stt_url and host and host not in (stt_url, without_credentials(stt_url)):
        raise ConfigError(
            "--host (LOCUST_HOST) and --stt-url (STT_LOAD_STT_URL) name different servers: give one of them"
        )
    return stt_url or host


def url_note(given_url: object, config: RunConfig) -> str | None:
    """What to say where another URL is called than the one that was typed, or none was; None elsewhere."""
    if not given_url:
        return f"no --stt-url was given: {without_credentials(config.stt_url)} is called, as usual for {config.dialect}"
    given, called = urlsplit(str(given_url)), urlsplit(config.stt_url)
    taken = [] if given.port == called.port else [f"no port: {called.port} is taken"]
    if given.path in ("", "/") and called.path not in ("", "/"):
        taken.append(f"no path: {called.path} is taken")
    return f"the URL has {'; '.join(taken)}, the one of {config.dialect}" if taken else None
