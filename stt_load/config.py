"""Every option, declared once, and the frozen configuration they become.

The command line, Locust's own command line and the web UI are all made from `OPTIONS`; nothing further in reads
flags or the environment. `parse_options` reports every problem at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.metrics.slo import DEFAULT_SLOS, Slo, parse_slo

DEFAULT_CONCURRENCY = "1,5,10,20,30,40"
_UNIT_S = {"": 1.0, "s": 1.0, "ms": 0.001, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)")


@dataclass(frozen=True, slots=True)
class RunConfig:
    """What a run was asked to do. Durations in seconds."""

    stt_url: str
    dialect: str
    concurrency: tuple[int, ...]
    hold_s: float
    rounds: int | None
    at_least: int
    pause_s: tuple[float, float]
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
    gpu_sidecar: str
    gpu_id: int | None
    results: str
    label: str
    output: str | None
    seed: int
    verbose: bool
    live: bool


# How a text becomes a value: raises ValueError with what is wrong and what can be written instead. ---------


def parse_duration_s(text: str) -> float:
    """`60s`, `500ms`, `2m`, `1h` or plain seconds."""
    match = _DURATION.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is no duration: write seconds, or 500ms, 60s, 2m, 1h")
    return float(match[1]) * _UNIT_S[match[2]]


def _positive_duration_s(text: str) -> float:
    seconds = parse_duration_s(text)
    if seconds <= 0:
        raise ValueError(f"{text!r} must be longer than zero")
    return seconds


def _duration_range_s(text: str) -> tuple[float, float]:
    low, separator, high = text.partition("..")
    if not separator:
        return (parse_duration_s(low),) * 2
    unit = re.sub(r"[\d.\s]", "", high)
    high_s = parse_duration_s(high)
    low_s = parse_duration_s(low if re.search(r"[a-z]", low) else low + unit)
    if low_s > high_s:
        raise ValueError(f"{text!r} begins above its end: write the shorter pause first, as in 1..3s")
    return low_s, high_s


def _ladder(text: str) -> tuple[int, ...]:
    steps = []
    for part in text.split(","):
        if not part.strip().isdecimal() or int(part) < 1:
            raise ValueError(
                f"{part.strip()!r} is no number of callers: write whole numbers from 1, as in {DEFAULT_CONCURRENCY}"
            )
        steps.append(int(part))
    return tuple(steps)


def _whole(minimum: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch(r"\s*-?\d+\s*", text) or int(text) < minimum:
            raise ValueError(f"{text!r} must be a whole number from {minimum}")
        return int(text)

    return parse


def _number_above_zero(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{text!r} is no number") from None
    if not 0 < number < float("inf"):
        raise ValueError(f"{text!r} must be greater than zero")
    return number


def _one_of(*names: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in names:
            raise ValueError(f"{text!r} is not known: write {' or '.join(names)}")
        return text

    return parse


def _web_socket_url(text: str) -> str:
    return _url(text, ("ws", "wss"))


def _http_url(text: str) -> str:
    return _url(text, ("http", "https"))


def _url(text: str, schemes: Sequence[str]) -> str:
    if text.partition("://")[0] not in schemes:
        raise ValueError(f"{text!r} must begin with {' or '.join(s + '://' for s in schemes)}")
    try:
        parts = urlsplit(text)
        # What the resolver will make of the name: it stumbles over empty and over-long parts.
        is_usable = bool((parts.hostname or "").encode("idna")) and parts.port != 0 and not re.search(r"\s", text)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ValueError(f"{text!r} has no usable host and port: write {schemes[0]}://HOST:PORT/PATH")
    return text


def _sidecar(text: str) -> str:
    return text if text in ("local", "off") else _http_url(text)


def _label(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9._-]{1,60}", text):
        raise ValueError(f"{text!r} becomes a folder name: letters, digits, dot, dash, underscore, 60 at most")
    return text


def _text(text: str) -> str:
    return text


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
    Option("stt-url", "stt_url", None, _web_socket_url, "URL", "the server under test; default: the dialect's own"),
    Option("dialect", "dialect", "parakeet", _one_of(*DIALECTS), "NAME", "what the server speaks: see `stt-load dialects`"),
    Option("concurrency", "concurrency", DEFAULT_CONCURRENCY, _ladder, "N,N,…", "callers of each stage, in order"),
    Option("hold", "hold_s", "60s", _positive_duration_s, "TIME", "how long each stage is held once all callers are there"),
    Option("rounds", "rounds", None, _whole(1), "N", "instead of --hold: every caller sends N utterances, the first of all together"),
    Option("at-least", "at_least", "1", _whole(0), "N", "hold on until N counted utterances have begun too"),
    Option("pause", "pause_s", "0s", _duration_range_s, "TIME", "pause between a caller's utterances: 2s, or 1..3s for a random one"),
    Option("arrival", "arrival", "random", _one_of("random", "together"), "HOW", "callers start at a random moment of a clip's length, or together"),
    Option("ramp-rate", "ramp_rate", "10", _number_above_zero, "N", "callers that arrive per second"),
    Option("settle", "settle_s", "3s", parse_duration_s, "TIME", "calm between stages, so that one doesn't load the next"),
    Option("end", "end", "", _text, "WHO", "who ends an utterance, client or server; default: the dialect's own"),
    Option("timeout", "timeout_s", "30", _positive_duration_s, "TIME", "how long after the last frame a transcript is waited for"),
    Option("frame-ms", "frame_ms", "100", _number_above_zero, "MS", "audio per message; made to fit what the server takes whole"),
    Option("trailing-silence", "trailing_silence_s", "1.0", parse_duration_s, "TIME", "silence sent after each clip, so that the server notices the end of speech"),
    Option("clips", "clips", None, _text, "FOLDER", "audio with reference texts; default: English sentences rendered once by espeak"),
    Option("tts-url", "tts_url", None, _http_url, "URL", "a TTS server (POST /tts or /v1/audio/speech) that speaks the texts instead of espeak"),
    Option("slo", "slos", None, _text, "SLO", f"a bound to meet, as often as needed; default: {', '.join(DEFAULT_SLOS)}", is_multiple=True, in_web_ui=False),
    Option("gpu-sidecar", "gpu_sidecar", "off", _sidecar, "URL|local|off", "where GPU samples come from; local starts a sidecar on this machine"),
    Option("gpu-id", "gpu_id", None, _whole(0), "N", "the GPU of a local sidecar; default: the one a python process uses"),
    Option("results", "results", "results", _text, "FOLDER", "where run folders are made", in_web_ui=False),
    Option("label", "label", "run", _label, "NAME", "ends the run folder's name"),
    Option("output", "output", None, _text, "FILE", "also copy stages.csv, or summary.json where FILE ends in .json", in_web_ui=False),
    Option("seed", "seed", "1", _whole(0), "N", "which clips, pauses and phases are drawn"),
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
    problems += _settle_slos(values)
    problems += _settle_dialect(values)
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


def _settle_slos(values: dict[str, Any]) -> list[str]:
    problems: list[str] = []
    slos: list[Slo] = []
    for text in values.get("slos") or DEFAULT_SLOS:
        try:
            slos.append(parse_slo(text))
        except ConfigError as error:
            problems += error.problems
    values["slos"] = tuple(slos)
    return problems


def _settle_dialect(values: dict[str, Any]) -> list[str]:
    """Fill in what the dialect decides, and refuse what it can't do."""
    row = DIALECTS.get(values.get("dialect", ""))
    if row is None:
        return []
    problems = []
    if values.get("stt_url", "") is None:
        values["stt_url"] = row.default_url
    values["end"] = values["end"] or row.capabilities.ends[0]
    if values["end"] not in row.capabilities.ends:
        problems.append(f"--end: {row.name} can only have its utterances ended by {' or '.join(row.capabilities.ends)}")
    silence_s = values.get("trailing_silence_s")
    if silence_s is not None and silence_s < row.capabilities.min_trailing_silence_s:
        problems.append(
            f"--trailing-silence: {silence_s:g} s is too short for {row.name}, which never answers with less than "
            f"{row.capabilities.min_trailing_silence_s:g} s"
        )
    return problems
