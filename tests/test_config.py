"""Every option: what is good, what is bad, and what is said about it."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from typing import Any
from urllib.parse import urlsplit

import msgspec
import pytest

from stt_load.capacity.arrivals import CallRate
from stt_load.config import RunConfig, one_url, parse_options, url_note
from stt_load.dialects.registry import DIALECTS
from stt_load.errors import ConfigError
from stt_load.kinds import STREAM, UPLOAD
from stt_load.metrics.slo import parse_slo
from stt_load.options import OPTIONS, Course, PlanKind, options_of


def problems_of(**raw: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        parse_options(raw)
    return caught.value.problems


GOOD: list[tuple[str, object, str, Any]] = [
    ("stt_url", "wss://host.example:8443/ws?a=b", "stt_url", "wss://host.example:8443/ws?a=b"),
    ("stt_url", "ws://[::1]:8000/ws", "stt_url", "ws://[::1]:8000/ws"),
    ("stt_url", "", "stt_url", "ws://localhost:8000/ws"),
    ("dialect", "parakeet", "dialect", "parakeet"),
    ("dialect_option", [], "dialect_options", {}),
    ("insecure", True, "insecure", True),
    ("strict", True, "is_strict", True),
    ("strict_bounds", True, "has_strict_bounds", True),
    ("strict_bounds", "0", "has_strict_bounds", False),
    ("strict", "0", "is_strict", False),
    ("utterances_per_connection", "3", "utterances_per_connection", 3),
    ("concurrency", "1, 5,10", "concurrency", (1, 5, 10)),
    ("concurrency", "7", "concurrency", (7,)),
    ("concurrency", "20,10,20", "concurrency", (20, 10, 20)),
    ("from", "7", "first_users", 7),
    ("max", "40", "most_users", 40),
    ("within", "2.5%", "within_ratio", 0.025),
    ("within", "10", "within_ratio", 0.1),
    ("repeats", "5", "repeats", 5),
    ("abort_on_fail", True, "aborts_on_fail", True),
    ("whole_holds", "yes", "has_whole_holds", True),
    ("hold", "90", "hold_s", 90.0),
    ("hold", "500ms", "hold_s", 0.5),
    ("hold", "1.5m", "hold_s", 90.0),
    ("hold", "1h", "hold_s", 3_600.0),
    ("rounds", "3", "rounds", 3),
    ("spike", "5,40,5", "concurrency", (5, 40, 5)),
    ("spike", "5, 40, 3", "spike", (5, 40, 3)),
    ("spike_hold", "10s", "spike_hold_s", 10.0),
    ("ramp_down", True, "concurrency", (1, 5, 10, 20, 30, 40, 30, 20, 10, 5, 1)),
    ("ramp_down", "", "ramps_down", False),
    ("soak", "", "soak_s", None),
    ("rounds", "", "rounds", None),
    ("at_least", "0", "at_least", 0),
    ("pause", "2s", "pause_s", (2.0, 2.0)),
    ("pause", "1..3s", "pause_s", (1.0, 3.0)),
    ("pause", "500ms..2", "pause_s", (0.5, 2.0)),
    ("pause", "1..2m", "pause_s", (60.0, 120.0)),
    ("arrival", "together", "arrival", "together"),
    ("ramp_rate", "0.5", "ramp_rate", 0.5),
    ("settle", "0", "settle_s", 0.0),
    ("end", "server", "end", "server"),
    ("timeout", "5s", "timeout_s", 5.0),
    ("timeout", "5s", "connect_limit_s", 10.0),
    ("timeout", "5s", "ready_limit_s", 10.0),
    ("timeout", "60s", "connect_limit_s", 60.0),
    ("timeout", "60s", "ready_limit_s", 60.0),
    ("connect_timeout", "40s", "connect_limit_s", 40.0),
    ("ready_timeout", "2m", "ready_limit_s", 120.0),
    ("frame_ms", "20", "frame_ms", 20.0),
    ("trailing_silence", "0.5", "trailing_silence_s", 0.5),
    ("trailing_silence", None, "trailing_silence_s", 1.0),
    ("clips", "clips/mine", "clips", "clips/mine"),
    ("language", None, "language", None),
    ("language", "de", "language", "de"),
    ("language", "pt-BR", "language", "pt"),
    ("language", "Thai", "language", "th"),
    ("language", "zh-en", "language", "zh-en"),
    ("tts_url", "http://localhost:8004/tts", "tts_url", "http://localhost:8004/tts"),
    ("codec", "mulaw8k", "codecs", ("mulaw8k",)),
    ("codec", "none, opus,alaw8k", "codecs", (None, "opus", "alaw8k")),
    ("codec", None, "codecs", (None,)),
    ("noise", "street", "noise", "street"),
    ("noise", "street", "snrs_db", (20.0,)),
    ("noise", None, "snrs_db", (None,)),
    ("snr", "clean,20,-2.5", "snrs_db", (None, 20.0, -2.5)),
    ("snr", "10", "noise", "babble"),
    ("snr", "clean", "noise", None),
    ("level", "-30", "levels_dbfs", (-30.0,)),
    ("level", "none,-40.5", "levels_dbfs", (None, -40.5)),
    ("join", "60s", "joins_s", (60.0,)),
    ("speed", "none,1.5", "speeds", (None, 1.5)),
    ("silence_callers", "10%", "silence_ratio", 0.1),
    ("silence_callers", "0", "silence_ratio", 0.0),
    ("join", "none,1m", "joins_s", (None, 60.0)),
    ("pause_in_speech", "none,0.3,600ms,1s", "pauses_in_speech_s", (None, 0.3, 0.6, 1.0)),
    ("slo", ["wer<8%", "foreign_text<1"], "slos", (parse_slo("wer<8%"), parse_slo("foreign_text<1"))),
    ("slo", "wer<8%", "slos", (parse_slo("wer<8%"),)),
    ("slo", ["wer<8%, foreign_text<1"], "slos", (parse_slo("wer<8%"), parse_slo("foreign_text<1"))),
    ("slo", [], "slos", tuple(parse_slo(text) for text in STREAM.default_slos)),
    ("gpu_sidecar", "local", "gpu_sidecars", ("local",)),
    ("gpu_sidecar", "off", "gpu_sidecars", ()),
    ("gpu_sidecar", "https://gpu.example:9550", "gpu_sidecars", ("https://gpu.example:9550",)),
    (
        "gpu_sidecar",
        "local, http://a:9550/,http://[::1]:1",
        "gpu_sidecars",
        ("local", "http://a:9550", "http://[::1]:1"),
    ),
    ("gpu_id", "0", "gpu_id", "0"),
    ("gpu_id", "0, 3,GPU-5d2c-11", "gpu_id", "0, 3,GPU-5d2c-11"),
    ("gpu_id", "MIG-GPU-5d2c/7/0", "gpu_id", "MIG-GPU-5d2c/7/0"),
    ("gpu_id", "all", "gpu_id", "all"),
    ("gpu_id", "none", "gpu_id", "none"),
    ("server_process", "port:8000", "server_process", "port:8000"),
    ("server_process", "pid:4242", "server_process", "pid:4242"),
    ("server_process", "name:nemo.*serve", "server_process", "name:nemo.*serve"),
    ("server_metric", [], "kept_server_metrics", ()),
    ("server_metrics", "http://h:8000/metrics", "server_metrics", "http://h:8000/metrics"),
    ("metrics", "9646", "metrics", ("127.0.0.1", 9646)),
    ("metrics", "[::1]:9646", "metrics", ("::1", 9646)),
    ("metrics", "load.example:9646", "metrics", ("load.example", 9646)),
    ("otlp_endpoint", "env", "otlp_endpoint", "env"),
    ("otlp_endpoint", "http://collector:4318", "otlp_endpoint", "http://collector:4318"),
    ("results", "elsewhere", "results", "elsewhere"),
    ("label", "night-2.b_1", "label", "night-2.b_1"),
    ("output", "figures.csv", "output", "figures.csv"),
    ("seed", "12", "seed", 12),
    ("verbose", True, "verbose", True),
    ("verbose", "false", "verbose", False),
    ("live", "1", "live", True),
    ("tokens_per_second", "25", "tokens_per_s", 25.0),
    (
        "arrivals",
        "6/min, 0.5/s,90/h",
        "arrivals",
        (CallRate("6/min", 0.1), CallRate("0.5/s", 0.5), CallRate("90/h", 0.025)),
    ),
    ("arrivals", "12/min,24/min", "concurrency", (18, 36)),
    ("arrivals", "12/min", "utterances_per_connection", 1_000_000),
    ("utterances_per_connection", "", "utterances_per_connection", 1),
    ("call", "2m", "call_s", 120.0),
    ("warm_up", "0", "warm_up_s", 0.0),
    ("barge_in", "1.5s", "barge_in_s", 1.5),
]


NEEDED: dict[str, dict[str, str]] = {
    **{key: {"gpu_sidecar": "local"} for key in ("gpu_id", "server_process")},
    "tokens_per_second": {"dialect": "tts-vllm-omni"},
    "spike_hold": {"spike": "5,40,5"},
    **{key: {"arrivals": "12/min", "call": "90s"} for key in ("arrivals", "call", "warm_up")},
    "barge_in": {"dialect": "conversation-openai"},
}  # what they are options of


@pytest.mark.parametrize(("key", "given", "into", "expected"), GOOD)
def test_a_good_value_becomes(key: str, given: object, into: str, expected: object) -> None:
    assert getattr(parse_options({**NEEDED.get(key, {}), key: given}), into) == expected


BAD = [
    (
        "stt_url",
        "http://localhost:8000/ws",
        "--stt-url: 'http://localhost:8000/ws' must begin with ws:// or wss://: write ws://localhost:8000/ws",
    ),
    ("stt_url", "https://host/ws", "must begin with ws:// or wss://: write wss://host/ws"),
    (
        "stt_url",
        "localhost:8000",
        "--stt-url: 'localhost:8000' must begin with ws:// or wss://: write ws://localhost:8000",
    ),
    (
        "stt_url",
        "http://me:secret@host/",
        "--stt-url: 'http://***@host/' must begin with ws:// or wss://: write ws://***@host/",
    ),
    ("stt_url", "ws:/127.0.0.1:8000", "must begin with ws:// or wss://: write ws://127.0.0.1:8000"),
    ("stt_url", "ws:8000", "must begin with ws:// or wss://: write ws://ws:8000"),
    ("dialect", "Paraket", "--dialect: 'Paraket' is not known (parakeet?): see `stt-load dialects`"),
    ("stt_url", "me:secret@host/", "--stt-url: '***@host/' must begin with ws:// or wss://: write ws://***@host/"),
    ("stt_url", "ws://me:sec#ret@host/", "--stt-url: 'ws://***@host/' has no usable host and port"),
    ("stt_url", "ws://host:99999/ws", "has no usable host and port: write ws://HOST:PORT/PATH"),
    ("stt_url", "ws://host:0/ws", "has no usable host and port"),
    ("stt_url", "ws:///ws", "has no usable host and port"),
    ("stt_url", "ws://two..dots/ws", "has no usable host and port"),
    ("stt_url", "ws://" + "a" * 64 + "/ws", "has no usable host and port"),
    ("stt_url", "ws://host/a b", "has no usable host and port"),
    ("stt_url", "ws://[::1/ws", "has no usable host and port"),
    ("dialect", "parrot", "--dialect: 'parrot' is not known: see `stt-load dialects`"),
    ("dialect_option", ["model=x"], "--dialect-option model=x: parakeet has no options"),
    ("language", "xx", "--language: 'xx' is no language"),
    ("language", "germn", "--language: 'germn' is no language (de for German?): write its code"),
    ("utterances_per_connection", "0", "--utterances-per-connection: '0' must be a whole number from 1"),
    ("concurrency", "0,x", "--concurrency: '0' is not a number of callers: write whole numbers from 1, as in 1,5"),
    ("concurrency", "1,x", "'x' is not a number of callers"),
    ("concurrency", "1,,5", "'' is not a number of callers"),
    ("concurrency", "1.5", "'1.5' is not a number of callers"),
    ("from", "0", "--from: '0' must be a whole number from 1"),
    ("from", "501", "--from: 501 is more than --max 500: lower it, or raise --max"),
    ("max", "many", "--max: 'many' must be a whole number from 1"),
    ("within", "0%", "--within: '0%' must be a percentage between 0 and 100, like 5%"),
    ("within", "close", "--within: 'close' is not a number"),
    ("repeats", "0", "--repeats: '0' must be a whole number from 1"),
    ("repeats", "4", "--repeats: '4' must be odd, like 5: most of so many trials decide"),
    ("hold", "-1", "--hold: '-1' is not a duration: write seconds, or 500ms, 60s, 2m, 1h"),
    ("hold", "0", "--hold: '0' must be longer than zero"),
    ("hold", "soon", "is not a duration"),
    ("hold", "nan", "is not a duration"),
    ("spike", "5,4,5", "'5,4,5' is no spike: write callers before, in and after it, most of them in it, as in 5,40,5"),
    ("spike", "5,40", "is no spike"),
    ("spike", "0,40,1", "'0' is not a number of callers"),
    ("spike_hold", "0s", "--spike-hold: "),
    ("soak", "0s", "--soak: "),
    ("rounds", "0", "--rounds: '0' must be a whole number from 1"),
    ("rounds", "2.5", "must be a whole number from 1"),
    ("at_least", "-1", "--at-least: '-1' must be a whole number from 0"),
    ("pause", "3..1s", "--pause: '3..1s' begins above its end: write the shorter pause first, as in 1..3s"),
    ("pause", "1..x", "--pause: 'x' is not a duration"),
    ("pause", "..", "--pause: '' is not a duration"),
    ("arrival", "late", "--arrival: 'late' is not known: write random or together"),
    ("ramp_rate", "0", "--ramp-rate: '0' must be greater than zero"),
    ("ramp_rate", "inf", "--ramp-rate: 'inf' is not a number"),
    ("ramp_rate", "fast", "--ramp-rate: 'fast' is not a number"),
    ("settle", "-1s", "--settle: '-1s' is not a duration"),
    ("end", "client", "--end: parakeet can only have its utterances ended by server"),
    ("end", "nobody", "--end: parakeet can only have its utterances ended by server"),
    ("timeout", "0s", "--timeout: '0s' must be longer than zero"),
    ("connect_timeout", "0s", "--connect-timeout: '0s' must be longer than zero"),
    ("ready_timeout", "soon", "--ready-timeout: 'soon' is not a duration"),
    ("frame_ms", "nan", "--frame-ms: 'nan' is not a number"),
    ("frame_ms", "-20", "--frame-ms: '-20' must be greater than zero"),
    ("trailing_silence", "0.1", "--trailing-silence: 0.1 s is too short for parakeet, which never answers with less"),
    ("trailing_silence", "some", "--trailing-silence: 'some' is not a duration"),
    ("tts_url", "ws://localhost:8004", "--tts-url: 'ws://localhost:8004' must begin with http:// or https://"),
    ("codec", "mp3", "--codec: 'mp3' is not known: write mulaw8k or alaw8k or opus or mulaw8k-decoded or"),
    ("codec", "opus,opus", "--codec: 'opus,opus' names one thing twice: once is enough"),
    ("snr", "loud", "--snr: 'loud' is not a number"),
    ("snr", "100", "--snr: '100' must be from -20 to 60"),
    ("level", "6", "--level: '6' must be from -60 to 0"),
    ("silence_callers", "100%", "--silence-callers: '100%' must be a percentage from 0 to less than 100"),
    ("join", "0s", "--join: '0s' must be longer than zero"),
    ("speed", "3", "--speed: '3' must be from 0.5 to 2.5"),
    ("pause_in_speech", "0.3,0", "--pause-in-speech: '0' must be longer than zero"),
    ("slo", ["wer<8"], "--slo"),
    ("slo", "latency is fine", "--slo"),
    ("server_metrics", "h:8000", "--server-metrics: 'h:8000' must begin with http:// or https://"),
    ("server_metric", "queue length", "--server-metric: 'queue length' is no name of a metric"),
    ("server_metric", "queue", "--server-metric: there is no place to read it from: name the URL as well"),
    ("metrics", "0", "--metrics: '0' is no place to listen at: write a port as in 9646, or HOST:PORT"),
    ("metrics", "here:", "--metrics: 'here:' is no place to listen at"),
    ("metrics", "http://a:1", "--metrics: 'http://a:1' is no place to listen at"),
    ("otlp_endpoint", "collector:4317", "--otlp-endpoint: 'collector:4317' must begin with http:// or https://"),
    ("gpu_sidecar", "remote", "--gpu-sidecar: 'remote' must begin with http:// or https://"),
    ("gpu_sidecar", "local,off", "--gpu-sidecar: off goes with no other sidecar"),
    ("gpu_sidecar", "local,", "--gpu-sidecar: '' must begin with http:// or https://"),
    ("gpu_sidecar", "http://a:1,http://a:1/", "--gpu-sidecar: http://a:1 is named twice"),
    ("gpu_sidecar", "http://me:secret@a:1", "--gpu-sidecar: write http://HOST:PORT alone: the token comes from"),
    ("gpu_sidecar", "http://a:1?token=x", "--gpu-sidecar: write http://HOST:PORT alone: the token comes from"),
    ("gpu_id", "-1", "--gpu-id: '-1' names no GPU: write indexes or UUIDs as in 0,1"),
    ("gpu_id", "0,,1", "--gpu-id: '0,,1' names no GPU"),
    ("gpu_id", "H200", "--gpu-id: 'H200' names no GPU"),
    ("server_process", "8000", "--server-process: '8000' names no process: write port:8000, pid:4242 or name:PATTERN"),
    ("server_process", "port:70000", "--server-process: 'port:70000' names no process"),
    ("server_process", "pid:0", "--server-process: 'pid:0' names no process"),
    ("server_process", "pid:²", "--server-process: 'pid:²' names no process"),
    ("server_process", "name:", "--server-process: 'name:' names no process"),
    ("server_process", "name:(", "--server-process: '(' is not a regular expression"),
    ("label", "a/b", "--label: 'a/b' becomes a folder name"),
    ("label", "x" * 61, "becomes a folder name"),
    ("seed", "abc", "--seed: 'abc' must be a whole number from 0"),
    ("tokens_per_second", "0", "--tokens-per-second: '0' must be greater than zero"),
    ("arrivals", "12", "--arrivals: '12' is no rate of calls: write 12/min, 0.5/s or 90/h, 1000/s at most"),
    ("arrivals", "6/min,0/min", "--arrivals: '0/min' is no rate of calls"),
    ("arrivals", "nan/s", "--arrivals: 'nan/s' is no rate of calls"),
    ("arrivals", "70000/min", "--arrivals: '70000/min' is no rate of calls"),
    ("arrivals", "3/week", "--arrivals: '3/week' is no rate of calls"),
    ("call", "0s", "--call: '0s' must be longer than zero"),
    ("warm_up", "soon", "--warm-up: 'soon' is not a duration"),
    ("barge_in", "0s", "--barge-in: '0s' must be"),
]


@pytest.mark.parametrize(("key", "given", "expected"), BAD)
def test_a_bad_value_is_one_line_that_names_the_option(key: str, given: object, expected: str) -> None:
    (line,) = problems_of(**{key: given})
    assert expected in line
    assert line.startswith("--" + key.replace("_", "-"))
    assert line.count(f"--{key.replace('_', '-')}") == 1
    assert "\n" not in line


FREE = {
    "noise",
    "insecure",
    "strict",
    "strict_bounds",
    "abort_on_fail",
    "whole_holds",
    "ramp_down",
    "clips",
    "results",
    "output",
    "verbose",
    "live",
}  # any text is good: looked at when the run starts


def test_a_hold_is_whole_or_ends_early() -> None:
    (line,) = problems_of(abort_on_fail=True, whole_holds=True)
    assert line.startswith("--whole-holds: it says the opposite of --abort-on-fail")


def test_a_soak_holds_its_callers_as_long_as_it_says() -> None:
    config = parse_options({"soak": "8h", "concurrency": "20"})
    assert (config.course, config.hold_s, config.concurrency) == (Course.SOAK, 28_800.0, (20,))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"spike": "5,40,5", "ramp_down": True}, "--ramp-down: a run has one course: leave it out, or --spike"),
        ({"spike": "5,40,5", "rounds": "2"}, "--rounds: --spike is about time: leave it out"),
        ({"spike_hold": "10s"}, "--spike-hold: means nothing without --spike: name the callers as well"),
        ({"spike": "5,40,5", "abort_on_fail": True}, "--abort-on-fail: --spike is about what comes after"),
        ({"soak": "8h", "concurrency": "5", "rounds": "2"}, "--rounds: --soak is about time: leave it out"),
        ({"soak": "8h"}, "--soak: one number of callers is held: name it, as in --concurrency 20"),
        ({"ramp_down": True, "concurrency": "5,1"}, "--ramp-down: callers leave after the largest stage"),
        ({"ramp_down": True, "concurrency": "5"}, "--ramp-down: callers leave after the largest stage"),
    ],
)
def test_a_run_has_one_course(options: dict[str, object], line: str) -> None:
    (problem,) = problems_of(**options)
    assert problem.startswith(line)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"arrivals": "12/min"}, "--arrivals: how long does a call last? Say it with --call, as in --call 90s"),
        ({"call": "90s"}, "--call: means nothing without --arrivals: name the rate of calls as well"),
        ({"warm_up": "9s"}, "--warm-up: means nothing without --arrivals: name the rate of calls as well"),
        ({"arrivals": "12/min", "call": "90s", "concurrency": "4"}, "--concurrency: means nothing with --arrivals"),
        ({"arrivals": "12/min", "call": "90s", "rounds": "4"}, "--rounds: means nothing with --arrivals"),
        ({"arrivals": "12/min", "call": "90s", "arrival": "together"}, "--arrival: means nothing with --arrivals"),
        ({"arrivals": "12/min", "call": "90s", "ramp_down": True}, "--ramp-down: means nothing with --arrivals"),
        ({"arrivals": "1/s", "call": "300h"}, "--call: 1,000,000 s at most"),
        ({"arrivals": "0/min", "call": "90s"}, "--arrivals: '0/min' is no rate of calls"),
        ({"arrival": "12/min"}, "--arrival: '12/min' is a rate of calls: write --arrivals 12/min, and --call for"),
        ({"slo": ["refused<5%"]}, "--slo 'refused<5%': only a run with --arrivals has calls that are refused"),
    ],
)
def test_an_open_loop_and_a_closed_one_do_not_mix(given: dict[str, object], says: str) -> None:
    (line,) = problems_of(**given)
    assert line.startswith(says)


def test_a_dialect_with_one_utterance_a_connection_dials_anew_within_a_call() -> None:
    config = parse_options({"arrivals": "12/min", "call": "90s", "dialect": "whisperlivekit"})
    assert config.utterances_per_connection == 1
    assert [load.erlangs for load in config.call_loads] == [18.0]
    assert config.most_callers == 39, "ports and files must suffice for more than the mean"


def test_what_is_written_of_a_load_can_be_read_again_however_fast_it_opens() -> None:
    (load,) = parse_options({"arrivals": "12/min", "call": "90s", "ramp_rate": "1e9", "seed": "9" * 30}).call_loads
    assert msgspec.json.decode(msgspec.json.encode(load), type=type(load)) == load


SHOWN = [
    (PlanKind.LADDER, {"concurrency", "rounds", "hold", "abort_on_fail"}, {"from", "max", "within", "repeats"}),
    (PlanKind.SEARCH, {"from", "max", "within", "repeats", "hold", "whole_holds"}, {"concurrency", "rounds"}),
    (PlanKind.FOLLOW, {"stt_url", "strict"}, {"concurrency", "rounds", "hold", "settle", "from", "abort_on_fail"}),
]


@pytest.mark.parametrize(("plan", "has", "lacks"), SHOWN, ids=[str(plan) for plan, *_ in SHOWN])
def test_a_plan_has_the_options_that_mean_something_to_it(plan: PlanKind, has: set[str], lacks: set[str]) -> None:
    keys = {option.key for option in options_of(plan)}
    assert has <= keys and not lacks & keys


def test_the_defaults_of_a_locustfile_go_before_those_of_its_plan() -> None:
    def default_of(key: str, **own: str) -> str | None:
        return next(option.default for option in options_of(PlanKind.SEARCH, own) if option.key == key)

    assert (default_of("hold"), default_of("hold", hold="5s"), default_of("settle")) == ("30s", "5s", "3s")


def test_every_option_has_a_good_and_a_bad_value_here() -> None:
    keys = {option.key for option in OPTIONS if not option.is_secret}
    assert {key for key, *_ in GOOD} == keys
    assert {key for key, *_ in BAD} == keys - FREE


def test_a_frame_that_the_server_calls_an_error_is_refused() -> None:
    (line,) = problems_of(dialect="assemblyai", frame_ms="20")
    assert line == "--frame-ms: assemblyai takes messages of 50 to 1000 ms only"


def test_all_problems_are_told_at_once() -> None:
    lines = problems_of(concurrency="0,x", hold="-1", slo=["x", "y"], stt_url="http://x", trailing_silence="0.1")
    assert [line.split(":")[0].split(" ")[0] for line in lines] == [
        "--stt-url",
        "--concurrency",
        "--hold",
        "--slo",
        "--slo",
        "--trailing-silence",
    ]


def test_an_unknown_dialect_does_not_hide_other_problems() -> None:
    assert len(problems_of(dialect="parrot", hold="x", end="nobody")) == 2


@pytest.mark.parametrize(
    ("url", "listener"),
    [
        ("ws://localhost:8000/ws", "port:8000"),
        ("ws://127.0.0.5:8001/ws", "port:8001"),
        ("wss://[::1]/ws", "port:443"),
        ("ws://LOCALHOST/ws", "port:80"),
        ("ws://10.0.0.7:8000/ws", None),
        ("ws://gpu.example:8000/ws", None),
    ],
)
def test_a_local_sidecar_looks_after_a_server_of_this_machine(url: str, listener: str | None) -> None:
    assert parse_options({"stt_url": url, "gpu_sidecar": "local,http://a:1"}).server_process == listener
    assert parse_options({"stt_url": url}).server_process is None
    asked = {"stt_url": url, "gpu_sidecar": "local", "server_process": "pid:7"}
    assert parse_options(asked).server_process == "pid:7"


@pytest.mark.parametrize("sidecars", ["off", "http://a:9550"])
def test_what_no_sidecar_would_be_told_is_refused(sidecars: str) -> None:
    lines = problems_of(gpu_sidecar=sidecars, gpu_id="0", server_process="port:8000")
    advice = "only a local sidecar takes it from here: add local to --gpu-sidecar, or start the other one with it"
    assert lines == (f"--gpu-id: {advice}", f"--server-process: {advice}")


def test_a_sidecar_that_is_wrong_is_one_problem_and_not_two() -> None:
    assert len(problems_of(gpu_sidecar="remote", gpu_id="0")) == 1


def test_without_any_option_there_is_a_run() -> None:
    config = parse_options({})
    assert config.concurrency == (1, 5, 10, 20, 30, 40)
    assert config.stt_url == DIALECTS["parakeet"].default_url
    assert (config.end, config.gpu_sidecars, config.clips, config.rounds) == ("server", (), None, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.seed = 2  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "used"),
    [
        (
            "ws://bücher.example/речь?hotwords=阿里",
            "ws://xn--bcher-kva.example/%D1%80%D0%B5%D1%87%D1%8C?hotwords=%E9%98%BF%E9%87%8C",
        ),
        ("wss://mé:pß@[::1]:9/é", "wss://m%C3%A9:p%C3%9F@[::1]:9/%C3%A9"),
        ("ws://host/a%20b?c=%E9", "ws://host/a%20b?c=%E9"),
    ],
)
def test_a_url_with_letters_of_any_language_is_kept_as_it_is_sent(given: str, used: str) -> None:
    assert parse_options({"stt_url": given, "dialect": "vosk"}).stt_url == used


def test_none_is_the_default() -> None:
    assert parse_options({option.key: None for option in OPTIONS}) == parse_options({})


def test_options_and_fields_are_the_same_set() -> None:
    assert sorted(option.field for option in OPTIONS if not option.is_secret) == sorted(
        f.name for f in dataclasses.fields(RunConfig)
    )
    assert len({option.name for option in OPTIONS}) == len(OPTIONS)


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_every_option_says_what_it_is(option: Any) -> None:
    assert bool(option.metavar) != option.is_flag
    assert option.env_var == (option.variable or "STT_LOAD_" + option.name.upper().replace("-", "_"))


_LOCUSTS_OWN = """\
from locust.argument_parser import get_empty_argument_parser, setup_parser_arguments
parser = get_empty_argument_parser()
setup_parser_arguments(parser)
for action in parser._actions:
    print(*action.option_strings, f"={action.dest}")
"""


def test_no_option_has_a_name_that_locust_uses() -> None:
    """Asked in a process of its own: importing Locust patches the one that does."""
    done = subprocess.run([sys.executable, "-c", _LOCUSTS_OWN], capture_output=True, text=True, timeout=60, check=True)
    taken = set(done.stdout.split())
    assert "--headless" in taken
    assert not taken & {f"--{option.name}" for option in OPTIONS}
    assert not taken & {f"={option.key}" for option in OPTIONS}


# uploads ------------------------------------------------------------------------------------------------------


def test_an_upload_api_has_its_own_default_url_objectives_and_kind() -> None:
    config = parse_options({"dialect": "upload-tingwu", "dialect_option": ["with_speaker=true"]})
    assert config.kind is UPLOAD
    assert config.stt_url == "http://localhost:8000/api/v1/transcribe"
    assert config.dialect_options["with_speaker"] is True
    assert (config.trailing_silence_s, config.end) == (0.0, "client")
    assert [slo.figure.name for slo in config.slos] == ["rtf", "error_rate", "wer_delta"]
    assert parse_options({}).kind is STREAM


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("stt_url", "ws://localhost:8000/ws", "--stt-url: 'ws://localhost:8000/ws' must begin with http://"),
        ("end", "server", "--end: means nothing with --dialect upload-openai: leave it out"),
        ("trailing_silence", "0.5", "--trailing-silence: means nothing with --dialect upload-openai"),
        ("utterances_per_connection", "2", "--utterances-per-connection: means nothing with --dialect upload-openai"),
        ("frame_ms", "20", "--frame-ms: means nothing with --dialect upload-openai"),
        ("dialect_option", ["volume=11"], "--dialect-option volume=11: upload-openai has model=…"),
        ("slo", ["eos_latency:p95<1s"], "--slo 'eos_latency:p95<1s': a run of kind upload has no eos_latency"),
    ],
)
def test_what_only_callers_who_speak_can_have_is_refused(key: str, value: object, says: str) -> None:
    (line,) = problems_of(dialect="upload-openai", **{key: value})
    assert line.startswith(says)


def test_noise_that_nobody_hears_is_refused() -> None:
    (line,) = problems_of(noise="street", snr="clean")
    assert line == "--noise: with --snr clean nobody hears it: leave one of them out"


@pytest.mark.parametrize(("option", "value"), [("clips", "recordings"), ("tts_url", "http://localhost:8004/tts")])
def test_only_the_clips_of_espeak_can_be_spoken_faster(option: str, value: str) -> None:
    (line,) = problems_of(speed="1.5", **{option: value})
    assert line.startswith("--speed: only the clips of espeak can be spoken again: leave --")
    assert parse_options({"speed": "none", option: value}).speeds == (None,)


@pytest.mark.parametrize(
    ("dialect", "given", "used"),
    [
        ("upload-openai", "http://host:9", "http://host:9/v1/audio/transcriptions"),
        ("tts-chatterbox", "https://host/?a=b", "https://host/tts?a=b"),
        ("upload-openai", "http://host:9/other", "http://host:9/other"),
        ("parakeet", "ws://host:9", "ws://host:9/ws"),
        ("deepgram", "wss://host?a=b", "wss://host/v1/listen?a=b"),
        ("parakeet", "ws://host:9/", "ws://host:9/"),
        ("parakeet", "ws://host:9/other", "ws://host:9/other"),
        ("vosk", "ws://host:9", "ws://host:9"),
    ],
)
def test_a_url_without_a_path_gets_the_servers_own_and_that_is_told(dialect: str, given: str, used: str) -> None:
    config = parse_options({"dialect": dialect, "stt_url": given})
    assert config.stt_url == used
    path = urlsplit(used).path
    told = f"the URL has no path: {path} is taken, the one of {dialect}"
    assert url_note(given, config) == (None if given == used else told)


@pytest.mark.parametrize(
    ("given", "used", "told"),
    [
        ("tcp://host", "tcp://host:10300", "the URL has no port: 10300 is taken, the one of wyoming"),
        ("tcps://[::1]", "tcps://[::1]:10300", "the URL has no port: 10300 is taken, the one of wyoming"),
        ("tcp://host:7", "tcp://host:7", None),
    ],
)
def test_a_scheme_without_a_port_of_its_own_gets_the_servers(given: str, used: str, told: str | None) -> None:
    config = parse_options({"dialect": "wyoming", "stt_url": given})
    assert (config.stt_url, url_note(given, config)) == (used, told)


def test_a_dialect_with_one_length_of_frames_takes_it_and_names_it() -> None:
    line = "--frame-ms: twilio-media takes messages of 20 ms only"
    assert problems_of(dialect="twilio-media", frame_ms="40") == (line,)
    assert parse_options({"dialect": "twilio-media"}).frame_ms == 20
    assert parse_options({"dialect": "assemblyai"}).frame_ms == 100
    assert parse_options({"dialect": "upload-openai"}).frame_ms == 100


def test_what_carries_a_dialect_decides_how_its_url_begins() -> None:
    assert problems_of(dialect="wyoming", stt_url="ws://host:1") == (
        "--stt-url: 'ws://host:1' must begin with tcp:// or tcps://: write tcp://host:1",
    )
    assert problems_of(dialect="vosk", stt_url="tcps://host:1") == (
        "--stt-url: 'tcps://host:1' must begin with ws:// or wss://: write wss://host:1",
    )
    for url in ("tcp://host:1", "tcp://localhost"):
        (problem,) = problems_of(dialect="wyomin", stt_url=url)
        assert "'wyomin' is not known (wyoming?)" in problem


def test_a_server_has_two_names_and_one_url() -> None:
    assert [one_url(*names) for names in ((None, None), ("ws://a", None), (None, "ws://a"), ("ws://a", "ws://a"))] == [
        None,
        *["ws://a"] * 3,
    ]
    with pytest.raises(ConfigError, match="name different servers"):
        one_url("ws://a", "ws://b")


def test_a_default_url_is_told() -> None:
    config = parse_options({})
    assert url_note(None, config) == "no --stt-url was given: ws://localhost:8000/ws is called, as usual for parakeet"


def test_a_url_that_is_none_is_told_with_an_upload_api_too() -> None:
    (line,) = problems_of(dialect="upload-openai", stt_url="http://[x")
    assert line.startswith("--stt-url: ")


def test_callers_who_speak_have_no_figures_of_uploads() -> None:
    (line,) = problems_of(slo=["total:p95<1s"])
    assert line.startswith("--slo 'total:p95<1s': a run of kind stream has no total")
