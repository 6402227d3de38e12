"""Reads the result file of a TTS benchmark as one side of a comparison. `docs/tts.md` explains its keys.

The file has no single values. From `mean_ms`, `std_ms` and `n` of a text follows how far its mean strays; percentiles,
RTF and memory can be told from noise only by repeats.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from stt_load.comparison.measures import OF_TTS_FILE
from stt_load.comparison.noise import Basis, Observation
from stt_load.comparison.results import ALL_TEXTS, Load, Result
from stt_load.errors import ConfigError
from stt_load.metrics.caller_bootstrap import StandardError, binomial_error
from stt_load.metrics.quantiles import smallest_n
from stt_load.report.raw_lines import NotJson, parse_json, read_bytes
from stt_load.text.url_secrets import without_secrets_of_urls

JsonObject = Mapping[str, Any]

_MIB_OF_GIB = 1_024.0
_LARGEST = 1e12
_LATENCIES = {"latency": "total", "first_audio": "first_audio"}
_STATISTICS = ("mean", "p50", "p95", "p99")
_WORD = "text"


def read_tts_file(path: Path) -> Result:
    """The benchmark of this file. Raises ConfigError with one line where it is none."""
    document = _document(path)
    metadata, configuration = document["metadata"], document["configuration"]
    texts = {str(name): text for name, text in document["results"].items()}
    loads = {name: _text_load(name, text, metadata) for name, text in texts.items()}
    every = _load_of_all(document["summary"], list(texts.values()), metadata)
    return Result(
        label=str(configuration.get("optimization") or metadata.get("benchmark_type") or path.stem),
        paths=(str(path),),
        what="a result file of a TTS benchmark",
        caller=_WORD,
        callers=f"{_WORD}s",
        measures=OF_TTS_FILE,
        loads={ALL_TEXTS: every, **loads},
        whole={},
        facts=_facts(metadata, configuration, texts),
        hardware=_hardware(configuration),
        started_at=_moment(metadata.get("timestamp")),
        doubts=("every request failed",) if texts and not any(_n(text, metadata) for text in texts.values()) else (),
        notes=("the benchmark was ended early",) if metadata.get("complete") is False else (),
    )


def _document(path: Path) -> JsonObject:
    try:
        document = parse_json(read_bytes(path))
    except NotJson as error:
        raise ConfigError(f"{path} is no result file of a TTS benchmark: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError(f"{path} is no result file of a TTS benchmark: it is no JSON object")
    parts = {name: document.get(name) for name in ("metadata", "configuration", "results", "summary")}
    missing = [name for name, part in parts.items() if not isinstance(part, dict)]
    if missing:
        raise ConfigError(f"{path} is no result file of a TTS benchmark: it has no object {', '.join(missing)}")
    wrong = [str(name) for name, text in document["results"].items() if not isinstance(text, dict)]
    if wrong or not document["results"]:
        raise ConfigError(f"{path}: `results` must hold an object for each text; {', '.join(wrong) or 'it is empty'}")
    return parts


def _text_load(name: str, text: JsonObject, metadata: JsonObject) -> Load:
    n = _n(text, metadata)
    observed: dict[str, Observation | None] = {
        f"{figure}:{statistic}": _latency(text.get(key), statistic, n)
        for key, figure in _LATENCIES.items()
        for statistic in _STATISTICS
    }
    observed["rtf:mean"] = _plain(text.get("rtf"))
    observed["vram:max"] = _plain(text.get("vram_peak_gb"), _MIB_OF_GIB)
    observed["error_rate"] = _share(text.get("errors"), text.get("runs"))
    return Load(name, _known(observed))


def _load_of_all(summary: JsonObject, texts: list[JsonObject], metadata: JsonObject) -> Load:
    mean = _number(summary.get("overall_mean_ms"))
    strata = [(_n(text, metadata), _number(_object(text.get("latency")).get("std_ms"))) for text in texts]
    observed = {
        "total:mean": None if mean is None else Observation(mean / 1_000, _error_of_strata(strata), Basis.SPREAD),
        "total:p95": _plain(summary.get("overall_p95_ms"), 0.001),
        "rtf:mean": _plain(summary.get("overall_rtf")),
        "vram:max": _plain(summary.get("max_vram_gb"), _MIB_OF_GIB),
        "error_rate": _share(summary.get("errors"), summary.get("runs")),
    }
    return Load(ALL_TEXTS, _known(observed))


def _latency(values: object, statistic: str, n: int) -> Observation | None:
    """`values`: the object of `latency` or `first_audio`; a text where the answers were not streamed."""
    figures = _object(values)
    value, deviation = _number(figures.get(f"{statistic}_ms")), _number(figures.get("std_ms"))
    if value is None:
        return None
    n = int(_number(figures.get("n")) or n)
    if statistic == "mean":
        error = None if deviation is None or n < 2 else StandardError(deviation / 1_000 / math.sqrt(n), n - 1)
        return Observation(value / 1_000, error, Basis.SPREAD)
    return Observation(value / 1_000, is_few=n < smallest_n(float(statistic[1:]) / 100))


def _error_of_strata(strata: list[tuple[int, float | None]]) -> StandardError | None:
    """The standard error of the mean over all texts: each scatters around its own mean."""
    known = [(n, deviation / 1_000) for n, deviation in strata if deviation is not None and n > 1]
    total = sum(n for n, _ in strata)
    if not total or len(known) < len(strata):
        return None
    squares = math.fsum(n * deviation**2 for n, deviation in known)
    return StandardError(math.sqrt(squares) / total, total - len(known))


def _n(text: JsonObject, metadata: JsonObject) -> int:
    """The completed requests of a text. Files of other programs may say only how many were asked for."""
    n = _number(_object(text.get("latency")).get("n"))
    if n is None:
        n = _number(metadata.get("measurement_runs"))
    return int(n or 0)


def _plain(value: object, factor: float = 1.0) -> Observation | None:
    number = _number(value)
    return None if number is None else Observation(number * factor)


def _share(part: object, whole: object) -> Observation | None:
    errors, n = _number(part), _number(whole)
    return None if errors is None or not n else Observation(errors / n, binomial_error(errors, n), Basis.SPREAD)


def _known(observed: Mapping[str, Observation | None]) -> dict[str, tuple[Observation, ...]]:
    return {key: (observation,) for key, observation in observed.items() if observation is not None}


def _number(value: object) -> float | None:
    """A number that can be one of the file: not below zero, and not beyond all measure."""
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        return None
    return float(value) if 0 <= value <= _LARGEST else None


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _moment(timestamp: object) -> float | None:
    try:
        return datetime.fromisoformat(str(timestamp)).timestamp()
    except (ValueError, OverflowError):
        return None


def _hardware(configuration: JsonObject) -> str:
    gpu, memory = configuration.get("gpu"), configuration.get("gpu_memory_gb")
    return f"{gpu}{f', {memory} GB' if memory else ''}" if gpu else "not known"


def _facts(metadata: JsonObject, configuration: JsonObject, texts: JsonObject) -> dict[str, tuple[str, ...]]:
    told = {
        "texts": "; ".join(f"{name}: {text['text']}" for name, text in texts.items() if text.get("text")),
        "words of the texts": ", ".join(f"{name} {text.get('text_length_words')}" for name, text in texts.items()),
        **{f"configuration {name}": value for name, value in _flat(configuration)},
    }
    told |= {name.replace("_", " "): str(metadata.get(name)) for name in ("warmup_runs", "measurement_runs")}
    return {name: (without_secrets_of_urls(value),) for name, value in told.items() if value}


def _flat(value: JsonObject, prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        if isinstance(item, dict):
            yield from _flat(item, f"{prefix}{name}.")
        elif item is not None:
            yield f"{prefix}{name}", str(item)
