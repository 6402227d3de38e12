"""Every option of a run, declared once.

The command line, Locust's own command line, the web UI and the environment variables are all made from `OPTIONS`.
A command or a locustfile shows those that mean something to its plan, which `options_of` picks: the form of the web UI
has no more than these either. `config.py` turns what was typed into one frozen `RunConfig`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from stt_load.capacity.arrivals import parse_arrivals
from stt_load.credentials import HEADERS_VARIABLE, parse_header
from stt_load.dialects.registry import find_dialect
from stt_load.kinds import ALL_KINDS, CONVERSATIONS, PACED, STREAM, STREAMS, TEXTS, TRANSCRIBED, LoadKind, kind_of
from stt_load.metrics.languages import parse_language
from stt_load.option_values import (
    DEFAULT_CONCURRENCY,
    number_from_to,
    odd_number,
    one_of,
    parse_duration_range_s,
    parse_duration_s,
    parse_flag,
    parse_gpus,
    parse_http_url,
    parse_label,
    parse_ladder,
    parse_listen_address,
    parse_number_above_zero,
    parse_otlp_endpoint,
    parse_part_pct,
    parse_positive_duration_s,
    parse_process,
    parse_share_pct,
    parse_sidecars,
    parse_spike,
    parse_text,
    several,
    whole_number_from,
)
from stt_load.server_metrics.choice import parse_server_metric
from stt_load.tts.engines import SPEEDS

CODEC_NAMES = ("mulaw8k", "alaw8k", "opus", "mulaw8k-decoded", "alaw8k-decoded")
WAYS_TO_ARRIVE = ("random", "together")
ENDS = ("client", "server")


def _parse_way_to_arrive(text: str) -> str:
    """One of WAYS_TO_ARRIVE; a rate of calls is meant for the option whose name is one letter longer."""
    if "/" in text:
        raise ValueError(f"{text!r} is a rate of calls: write --arrivals {text}, and --call for how long one lasts")
    return one_of(*WAYS_TO_ARRIVE)(text)


class Group(StrEnum):
    """What an option is about: a heading of the form in the web UI. The form has them in this order."""

    SERVER = "Server"
    STAGES = "Stages"
    OBJECTIVES = "Objectives"
    CALLERS = "Callers"
    AUDIO = "Audio and transcripts"
    LIMITS = "Time limits"
    SAMPLES = "GPU and host"
    RESULTS = "Results"


class PlanKind(StrEnum):
    """What decides how many callers the next stage has: a locustfile, and the command that starts it, has one of them.
    `run/plan.py` has the plans."""

    LADDER = "ladder"  # a list that somebody wrote
    SEARCH = "search"  # what the stages before it have shown
    FOLLOW = "follow"  # somebody at the web UI


class Course(StrEnum):
    """How the number of callers changes in a run of fixed stages."""

    LADDER = "ladder"
    SPIKE = "spike"  # few callers, many all at once, as few as before
    RAMP_DOWN = "ramp-down"  # a ladder, and down again
    SOAK = "soak"  # one number of callers for hours


EVERY_PLAN = frozenset(PlanKind)
_STAGED = frozenset({PlanKind.LADDER, PlanKind.SEARCH})  # stages end by themselves
_LADDER = frozenset({PlanKind.LADDER})
_SEARCH = frozenset({PlanKind.SEARCH})


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of a run.

    `name`: the flag without its dashes; the environment variable and the key of raw values are derived from it.
    `field`: the field of `RunConfig` that it becomes. `parse`: turns its text into the value; raises ValueError.
    `group`: what it is about. `metavar`: what stands for the value in help, with its unit. `help`: one sentence.
    `choices`: the words that it takes, where they can be listed.
    `default`: the text that is parsed where nothing was typed; None leaves the field None, and `default_help` says in
    words what happens then. `kinds`, `plans`: the kinds of load and of plan that it means something to. `is_secret`:
    its values are credentials, which go from process to process by the environment variable alone, and are no part of
    `RunConfig`.
    `may_hold_secrets`: its value is handed on by the environment too, since everybody can read command lines.
    `variable`: the environment variable, where it isn't the one that the name makes.
    """

    name: str
    field: str
    parse: Callable[[str], Any]
    help: str
    group: Group = Group.RESULTS
    choices: tuple[str, ...] = ()
    metavar: str = ""
    default: str | None = None
    default_help: str = ""
    is_flag: bool = False
    is_multiple: bool = False
    is_secret: bool = False
    may_hold_secrets: bool = False
    variable: str = ""
    in_web_ui: bool = True
    kinds: frozenset[LoadKind] = ALL_KINDS
    plans: frozenset[PlanKind] = EVERY_PLAN

    @property
    def key(self) -> str:
        """The name as Python and Locust spell it."""
        return self.name.replace("-", "_")

    @property
    def env_var(self) -> str:
        return self.variable or f"STT_LOAD_{self.key.upper()}"

    @property
    def help_with_default(self) -> str:
        """The line of `--help`."""
        default = self.default or self.default_help
        return f"{self.help} [default: {default}]" if default else self.help


def parse_dialect(text: str) -> str:
    """The name of a dialect, an upload API or a TTS API."""
    if kind_of(text) is STREAM:
        find_dialect(text)
    return text


OPTIONS: tuple[Option, ...] = (
    Option(
        name="stt-url",
        field="stt_url",
        group=Group.SERVER,
        parse=parse_text,
        metavar="URL",
        default_help="the dialect's own",
        may_hold_secrets=True,
        help="The URL of the server under test; ws://HOST:PORT alone takes the dialect's path.",
    ),
    Option(
        name="dialect",
        field="dialect",
        group=Group.SERVER,
        parse=parse_dialect,
        metavar="NAME",
        default="parakeet",
        help="The protocol that the server speaks: `stt-load dialects` lists them.",
    ),
    Option(
        name="dialect-option",
        field="dialect_options",
        group=Group.SERVER,
        parse=parse_text,
        metavar="KEY=VALUE",
        help="Set an option of the dialect; can be repeated. `stt-load dialects NAME` lists them.",
        is_multiple=True,
    ),
    Option(
        name="header",
        field="headers",
        group=Group.SERVER,
        parse=parse_header,
        metavar="NAME=VALUE",
        help=f"Send a header of your own with each request; can be repeated. {HEADERS_VARIABLE} has one on each line.",
        is_multiple=True,
        is_secret=True,
        variable=HEADERS_VARIABLE,
        in_web_ui=False,
    ),
    Option(
        name="insecure",
        field="insecure",
        group=Group.SERVER,
        parse=parse_flag,
        default="",
        help="Accept any TLS certificate of the server, self-signed ones too.",
        is_flag=True,
    ),
    Option(
        name="concurrency",
        field="concurrency",
        group=Group.STAGES,
        parse=parse_ladder,
        metavar="N,N,…",
        default=DEFAULT_CONCURRENCY,
        help="The number of callers in each stage, in order.",
        plans=_LADDER,
    ),
    Option(
        name="from",
        field="first_users",
        group=Group.STAGES,
        parse=whole_number_from(1),
        metavar="N",
        default="1",
        help="The number of callers of the first trial.",
        plans=_SEARCH,
    ),
    Option(
        name="max",
        field="most_users",
        group=Group.STAGES,
        parse=whole_number_from(1),
        metavar="N",
        default="500",
        help="The highest number of callers that is tried.",
        plans=_SEARCH,
    ),
    Option(
        name="within",
        field="within_ratio",
        group=Group.STAGES,
        parse=parse_part_pct,
        metavar="N%",
        default="5%",
        help="How far the number that holds and the one that does not may lie apart at the end, in percent of callers.",
        plans=_SEARCH,
    ),
    Option(
        name="repeats",
        field="repeats",
        group=Group.STAGES,
        parse=odd_number,
        metavar="N",
        default="3",
        help="How often both numbers at the edge are tried; most of their trials decide, so it is an odd number.",
        plans=_SEARCH,
    ),
    Option(
        name="hold",
        field="hold_s",
        group=Group.STAGES,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default="60s",
        help="How long each stage is held once all its callers are there.",
        plans=_STAGED,
    ),
    Option(
        name="rounds",
        field="rounds",
        group=Group.STAGES,
        parse=whole_number_from(1),
        metavar="N",
        help="Instead of --hold: every caller sends N utterances, and all callers send their first one together.",
        plans=_LADDER,
    ),
    Option(
        name="at-least",
        field="at_least",
        group=Group.STAGES,
        parse=whole_number_from(0),
        metavar="N",
        default="1",
        help="Hold a stage until at least N of its utterances have begun.",
        plans=_STAGED,
    ),
    Option(
        name="pause",
        field="pause_s",
        group=Group.CALLERS,
        parse=parse_duration_range_s,
        metavar="TIME",
        default="0s",
        help="The pause between the utterances of a caller: 2s, or 1..3s for a random length.",
    ),
    Option(
        name="utterances-per-connection",
        field="utterances_per_connection",
        group=Group.CALLERS,
        parse=whole_number_from(1),
        metavar="N",
        default_help="1; with --arrivals a whole call, where the dialect can",
        help="How many utterances a caller sends before it opens a new connection.",
        kinds=PACED,
    ),
    Option(
        name="arrival",
        field="arrival",
        group=Group.CALLERS,
        parse=_parse_way_to_arrive,
        choices=WAYS_TO_ARRIVE,
        metavar="HOW",
        default="random",
        help="How callers start: random (each at a random moment within a clip's length) or together. Calls that come "
        "and go are another thing: --arrivals.",
    ),
    Option(
        name="ramp-rate",
        field="ramp_rate",
        group=Group.STAGES,
        parse=parse_number_above_zero,
        metavar="N",
        default="10",
        help="How many callers arrive per second.",
        plans=_STAGED,
    ),
    Option(
        name="settle",
        field="settle_s",
        group=Group.STAGES,
        parse=parse_duration_s,
        metavar="TIME",
        default="3s",
        help="How long there is no load between two stages.",
        plans=_STAGED,
    ),
    Option(
        name="end",
        field="end",
        group=Group.AUDIO,
        parse=parse_text,
        choices=ENDS,
        metavar="WHO",
        default_help="the dialect's own",
        help="Who ends an utterance: client (by a message) or server (by its endpointer).",
        kinds=PACED,
    ),
    Option(
        name="timeout",
        field="timeout_s",
        group=Group.LIMITS,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default="30",
        help="How long to wait for a transcript after the last frame, or for the whole answer to an upload. "
        "To connect, and to get ready, a server has at least as long.",
    ),
    Option(
        name="connect-timeout",
        field="connect_timeout_s",
        group=Group.LIMITS,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default="10",
        help="How long a connection may take to open, upgrade included; at least --timeout.",
    ),
    Option(
        name="ready-timeout",
        field="ready_timeout_s",
        group=Group.LIMITS,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default="10",
        help="How long a server may take to say that it is ready, which may mean to load a model for each caller; "
        "at least --timeout.",
        kinds=PACED,
    ),
    Option(
        name="frame-ms",
        field="frame_ms",
        group=Group.AUDIO,
        parse=parse_number_above_zero,
        metavar="MS",
        default_help="100, or the only length that the dialect takes",
        help="Milliseconds of audio in each message, rounded to what the server takes without loss.",
        kinds=PACED,
    ),
    Option(
        name="trailing-silence",
        field="trailing_silence_s",
        group=Group.AUDIO,
        parse=parse_duration_s,
        metavar="TIME",
        default_help="what the server needs to hear that speech has ended; 0 where the client tells it",
        help="How much silence is sent after each clip.",
        kinds=STREAMS,
    ),
    Option(
        name="clips",
        field="clips",
        group=Group.AUDIO,
        parse=parse_text,
        metavar="FOLDER",
        default_help="English sentences spoken by espeak, made once",
        help="A folder of audio files with reference texts, or a list of clips in it.",
        in_web_ui=False,
    ),
    Option(
        name="language",
        field="language",
        group=Group.AUDIO,
        parse=parse_language,
        metavar="CODE",
        default_help="guessed from the references",
        help="The language of the references (en, de, th, …): what counts as a word of a transcript.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="strict-bounds",
        field="has_strict_bounds",
        group=Group.AUDIO,
        parse=parse_flag,
        default="",
        help="Refuse clips in which the end of speech is uncertain; `stt-load clips show --bounds` draws them.",
        is_flag=True,
        kinds=PACED,
    ),
    Option(
        name="tts-url",
        field="tts_url",
        group=Group.AUDIO,
        parse=parse_http_url,
        metavar="URL",
        may_hold_secrets=True,
        help="A TTS server (POST /tts or /v1/audio/speech) that speaks the clips instead of espeak.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="codec",
        field="codecs",
        group=Group.AUDIO,
        parse=several(one_of(*CODEC_NAMES, "none"), "none"),
        metavar="NAME,…",
        default="none",
        help=f"What the line does to the audio: {', '.join(CODEC_NAMES)} or none; several make a variant of each clip "
        "for each.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="noise",
        field="noise",
        group=Group.AUDIO,
        parse=parse_text,
        metavar="NAME|FILE",
        default_help="none, or babble where --snr is given",
        help="What callers speak in: babble (other clips of the pool), street, white, or an audio file.",
        in_web_ui=False,
        kinds=TRANSCRIBED,
    ),
    Option(
        name="snr",
        field="snrs_db",
        group=Group.AUDIO,
        parse=several(number_from_to(-20, 60), "clean"),
        metavar="DB,…",
        default_help="20, where --noise is given",
        help="How far the noise lies under the speech, in dB, or clean; several make a variant of each clip for each.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="level",
        field="levels_dbfs",
        group=Group.AUDIO,
        parse=several(number_from_to(-60, 0), "none"),
        metavar="DBFS,…",
        default="none",
        help="How loud callers speak: the RMS of their speech in dB below full scale, as -30; none leaves it as it is.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="speed",
        field="speeds",
        group=Group.AUDIO,
        parse=several(number_from_to(*SPEEDS), "none"),
        metavar="TIMES,…",
        default="none",
        help="Callers who talk fast: espeak speaks its clips so many times as fast, as 1.3,1.6.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="join",
        field="joins_s",
        group=Group.AUDIO,
        parse=several(parse_positive_duration_s, "none"),
        metavar="TIME,…",
        default="none",
        help="Long utterances: join clips until they are so long.",
        kinds=TRANSCRIBED,
    ),
    Option(
        name="pause-in-speech",
        field="pauses_in_speech_s",
        group=Group.AUDIO,
        parse=several(parse_positive_duration_s, "none"),
        metavar="TIME,…",
        default="none",
        help="Callers who think: a pause so long between two words, as 0.3,0.6,1,1.5; none leaves clips as they are.",
        kinds=PACED,
    ),
    Option(
        name="silence-callers",
        field="silence_ratio",
        group=Group.CALLERS,
        parse=parse_share_pct,
        metavar="N%",
        default="0%",
        help="How many of the callers never speak; a server should tell no words to them.",
        kinds=STREAMS,
    ),
    Option(
        name="slo",
        field="slos",
        group=Group.OBJECTIVES,
        parse=parse_text,
        metavar="SLO",
        default_help=", ".join(STREAM.default_slos),
        help="A bound that every stage must meet; can be repeated.",
        is_multiple=True,
    ),
    Option(
        name="strict",
        field="is_strict",
        group=Group.OBJECTIVES,
        parse=parse_flag,
        default="",
        help="An objective must be proven: a stage that meets it on too few utterances (pass*) does not pass.",
        is_flag=True,
        plans=EVERY_PLAN - _SEARCH,
    ),
    Option(
        name="abort-on-fail",
        field="aborts_on_fail",
        group=Group.OBJECTIVES,
        parse=parse_flag,
        default="",
        help="End the hold of a stage as soon as it is certain that an objective is missed; a ladder ends with that "
        "stage. `stt-load find` does so by itself.",
        is_flag=True,
        plans=_STAGED,
    ),
    Option(
        name="whole-holds",
        field="has_whole_holds",
        group=Group.OBJECTIVES,
        parse=parse_flag,
        default="",
        help="Let every trial last for --hold, also where it is certain before that an objective is missed.",
        is_flag=True,
        plans=_SEARCH,
    ),
    Option(
        name="gpu-sidecar",
        field="gpu_sidecars",
        group=Group.SAMPLES,
        parse=parse_sidecars,
        metavar="URL|local|off,…",
        default="off",
        help="The sidecars that sample GPUs, host and server; local starts one on this machine.",
    ),
    Option(
        name="gpu-id",
        field="gpu_id",
        group=Group.SAMPLES,
        parse=parse_gpus,
        metavar="ID,…|all|none",
        default_help="those that the server uses",
        help="The GPUs that a local sidecar samples, by index or UUID.",
    ),
    Option(
        name="server-process",
        field="server_process",
        group=Group.SAMPLES,
        parse=parse_process,
        metavar="HOW:WHAT",
        default_help="the process that listens at --stt-url",
        help="The process whose CPU and memory a local sidecar samples: port:8000, pid:4242 or name:PATTERN.",
    ),
    Option(
        name="server-metrics",
        field="server_metrics",
        group=Group.SAMPLES,
        parse=parse_http_url,
        metavar="URL",
        may_hold_secrets=True,
        help="Read the server's own metrics (Prometheus text) there while the run goes on, and show them by stage.",
        in_web_ui=False,
    ),
    Option(
        name="server-metric",
        field="kept_server_metrics",
        group=Group.SAMPLES,
        parse=parse_server_metric,
        metavar="NAME[:HOW]",
        default_help="those of servers that stt-load knows",
        help="A metric of --server-metrics to keep; can be repeated. HOW is rate for a counter, mean for a histogram, "
        "max for the largest of its series.",
        is_multiple=True,
        in_web_ui=False,
    ),
    Option(
        name="metrics",
        field="metrics",
        group=Group.RESULTS,
        parse=parse_listen_address,
        metavar="[HOST:]PORT",
        help="Serve the figures of the run to Prometheus at this port of 127.0.0.1, or of HOST, while it goes on.",
        in_web_ui=False,
    ),
    Option(
        name="otlp-endpoint",
        field="otlp_endpoint",
        group=Group.RESULTS,
        parse=parse_otlp_endpoint,
        metavar="URL|env",
        may_hold_secrets=True,
        help="Push the figures of the run to this OpenTelemetry collector (OTLP over HTTP) while it goes on; env takes "
        "OTEL_EXPORTER_OTLP_ENDPOINT.",
        in_web_ui=False,
    ),
    Option(
        name="results",
        field="results",
        group=Group.RESULTS,
        parse=parse_text,
        metavar="FOLDER",
        default="results",
        help="The folder in which each run gets a folder of its own.",
        in_web_ui=False,
    ),
    Option(
        name="label",
        field="label",
        group=Group.RESULTS,
        parse=parse_label,
        metavar="NAME",
        default="run",
        help="The last part of the run folder's name.",
    ),
    Option(
        name="output",
        field="output",
        group=Group.RESULTS,
        parse=parse_text,
        metavar="FILE",
        help="Copy stages.csv to FILE as well, or summary.json where FILE ends in .json.",
        in_web_ui=False,
    ),
    Option(
        name="seed",
        field="seed",
        group=Group.CALLERS,
        parse=whole_number_from(0),
        metavar="N",
        default="1",
        help="The seed of everything drawn at random: clips, pauses, moments of arrival.",
    ),
    Option(
        name="verbose",
        field="verbose",
        group=Group.RESULTS,
        parse=parse_flag,
        default="",
        help="Log each message of each caller with its time.",
        is_flag=True,
    ),
    Option(
        name="live",
        field="live",
        group=Group.RESULTS,
        parse=parse_flag,
        default="",
        help="Show a live panel, or plain lines where the output is no terminal.",
        is_flag=True,
        in_web_ui=False,
    ),
    Option(
        name="spike",
        field="spike",
        group=Group.STAGES,
        parse=parse_spike,
        metavar="N,N,N",
        help="Instead of --concurrency: few callers, suddenly many, and few again, and how soon the objectives hold.",
        plans=_LADDER,
    ),
    Option(
        name="spike-hold",
        field="spike_hold_s",
        group=Group.STAGES,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default="30s",
        help="How long the many callers of --spike stay; the few are held for --hold before and after.",
        plans=_LADDER,
    ),
    Option(
        name="ramp-down",
        field="ramps_down",
        group=Group.STAGES,
        parse=parse_flag,
        default="",
        help="After the largest stage callers leave again, step by step, and the report says what the server gives "
        "back.",
        is_flag=True,
        plans=_LADDER,
    ),
    Option(
        name="tokens-per-second",
        field="tokens_per_s",
        group=Group.AUDIO,
        parse=parse_number_above_zero,
        metavar="N",
        default_help="30 where the server takes its text in pieces",
        help="How fast a text is fed to a server that speaks it while it is written, as by a language model.",
        kinds=TEXTS,
    ),
    Option(
        name="barge-in",
        field="barge_in_s",
        group=Group.CALLERS,
        parse=parse_positive_duration_s,
        metavar="TIME",
        default_help="callers listen to the end",
        help="Speak over the answer of the server once so much of it was heard, and measure how soon it stops.",
        kinds=CONVERSATIONS,
    ),
    Option(
        name="soak",
        field="soak_s",
        group=Group.STAGES,
        parse=parse_positive_duration_s,
        metavar="TIME",
        help="Instead of --hold: one number of callers for so long, as 8h, and whether latency or errors drift.",
        plans=_LADDER,
    ),
    Option(
        name="arrivals",
        field="arrivals",
        group=Group.STAGES,
        parse=parse_arrivals,
        metavar="N/min,…",
        help="Instead of --concurrency: so many calls come in each stage, at random moments, however slow the server "
        "is (an open loop); 12/min, 0.5/s or 90/h.",
        kinds=PACED,
        plans=_LADDER,
    ),
    Option(
        name="call",
        field="call_s",
        group=Group.STAGES,
        parse=parse_positive_duration_s,
        metavar="TIME",
        help="With --arrivals: how long a call lasts on average; a caller speaks one utterance after the other in it.",
        kinds=PACED,
        plans=_LADDER,
    ),
    Option(
        name="warm-up",
        field="warm_up_s",
        group=Group.STAGES,
        parse=parse_duration_s,
        metavar="TIME",
        default_help="as long as a call",
        help="With --arrivals: how long calls come before the hold, once those that open a stage are on the line.",
        kinds=PACED,
        plans=_LADDER,
    ),
)

PLAN_DEFAULTS: Mapping[PlanKind, Mapping[str, str]] = {
    PlanKind.LADDER: {},
    PlanKind.SEARCH: {"hold": "30s", "label": "find"},
    PlanKind.FOLLOW: {},
}
"""The defaults of a plan that differ from those of `OPTIONS`, by option key."""


def options_of(plan: PlanKind, defaults: Mapping[str, str] = MappingProxyType({})) -> tuple[Option, ...]:
    """The options that mean something to a run with such a plan, in the order of `OPTIONS`. `defaults`: those of a
    locustfile or command, by key, which go before those of the plan."""
    own = {**PLAN_DEFAULTS[plan], **defaults}
    return tuple(
        replace(option, default=own.get(option.key, option.default)) for option in OPTIONS if plan in option.plans
    )
