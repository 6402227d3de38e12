"""What options decide about each other: what one fills in for another, and what can't be had together.

Each rule changes the values of a run in place and gives a line for each thing that is wrong with them. An option whose
text could not be read has no value, and its line already.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.capacity.arrivals import LONGEST_CALL_S
from stt_load.dialects.base import Capabilities, Settings
from stt_load.dialects.registry import find_dialect
from stt_load.errors import ConfigError
from stt_load.kinds import STREAM, LoadKind, kind_of
from stt_load.metrics.slo import Slo, parse_slo
from stt_load.option_values import completed_by, listener_at, parse_url
from stt_load.options import OPTIONS, Option
from stt_load.server_metrics.choice import parse_server_metric

DEFAULT_NOISE, DEFAULT_SNR_DB = "babble", 20.0
DEFAULT_FRAME_MS = 100.0
_OF_A_CLOSED_LOOP = ("concurrency", "rounds", "arrival", "spike", "ramp-down", "soak")
_WHOLE_CALL = 1_000_000  # utterances over one connection: more than fit into a call
_COURSES = {"spike": "spike", "ramp-down": "ramps_down", "soak": "soak_s"}  # option -> field


def settle(values: dict[str, Any], problems: Sequence[str] = ()) -> list[str]:
    """Applies every rule to values by field. Gives all that is wrong: `problems`, which each option has for itself, and
    those that they have together."""
    kind = kind_of(values.get("dialect"))
    return [
        *_settle_url(values, kind),
        *problems,
        *_settle_slos(values, kind),
        *_refuse_options_of_other_kinds(values, kind),
        *_settle_server(values, kind),
        *_settle_noise(values),
        *_find_speed_problems(values),
        *_settle_sidecars(values),
        *_settle_server_metrics(values),
        *_find_search_problems(values),
        *_settle_arrivals(values),
        *_settle_course(values),
    ]


def value_of(option: Option, given: object) -> Any:
    """The value of an option as it was typed; None or nothing: its default. Raises ValueError."""
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


def _refuse_options_of_other_kinds(values: Mapping[str, Any], kind: LoadKind) -> list[str]:
    """One line for each option that was set and means nothing to this kind of load."""
    return [
        f"--{option.name}: means nothing with --dialect {values['dialect']}: leave it out"
        for option in OPTIONS
        if kind not in option.kinds and _is_set(option.name, values)
    ]


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


def _find_search_problems(values: Mapping[str, Any]) -> list[str]:
    first, most = values.get("first_users", 1), values.get("most_users", math.inf)
    problems = []
    if first > most:
        problems.append(f"--from: {first} is more than --max {most}: lower it, or raise --max")
    if values.get("aborts_on_fail") and values.get("has_whole_holds"):
        problems.append("--whole-holds: it says the opposite of --abort-on-fail: leave one of them out")
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


def _is_set(name: str, values: Mapping[str, Any]) -> bool:
    """Whether an option has another value than its default."""
    option = next(option for option in OPTIONS if option.name == name)
    return option.field in values and values[option.field] != value_of(option, None)
