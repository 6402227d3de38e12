"""What was run on what, as `run.json` says it: the facts that two runs are compared by."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from stt_load.text.url_secrets import without_secrets_of_urls

JsonObject = Mapping[str, Any]

VOID = frozenset({"end of utterance", "frame rule", "clips", "normaliser", "texts", "words of the texts"})
"""Facts without which nothing can be compared: two runs that differ in one of them have measured different things."""

_TOLD_OTHERWISE = frozenset(
    {"label", "results", "output", "verbose", "live", "stt-url", "url", "tts-url", "dialect", "clips", "end", "seed"}
    | {"slo", "gpu-sidecar", "gpu-id", "server-process", "language", "frame-ms", "trailing-silence", "concurrency"}
)
"""Options that other facts tell, or that change nothing that is measured."""


def run_facts(run: JsonObject) -> dict[str, tuple[str, ...]]:
    """Each fact that the run has, in the order in which differences are told."""
    told = {name: tell(run) for name, tell in _FACTS.items()}
    options = run.get("options") or {}
    versions = run.get("versions") or {}
    told |= {f"--{name}": _text(value) for name, value in options.items() if name not in _TOLD_OTHERWISE}
    told |= {f"version of {name}": _text(value) for name, value in versions.items()}
    return {name: (without_secrets_of_urls(value),) for name, value in told.items() if value}


def hardware(run: JsonObject) -> str:
    """The GPUs and the server's machine, on one line; the load machine where no sidecar told of the server's."""
    return "; ".join(filter(None, [_gpus(run), _servers(run) or _hosts(run)])) or "not known"


def _servers(run: JsonObject) -> str | None:
    """The machines of the sidecars."""
    sidecars = [entry for entry in run.get("sidecars") or () if isinstance(entry.get("machine"), Mapping)]
    return _listed(_machine({"host": entry.get("host"), **entry["machine"]}) for entry in sidecars)


def _hosts(run: JsonObject) -> str | None:
    return _listed(_machine(host) for host in run.get("hosts") or ())


def _machine(about: JsonObject) -> str:
    cores, limit = _text(about.get("cores")), _text(about.get("container_cpu_limit"))
    parts = [_text(about.get("host")), _text(about.get("cpu_model"))]
    parts += [f"{cores} cores" if cores else None, f"CPU limit {limit} cores" if limit else None]
    return ", ".join(filter(None, parts))


def _gpus(run: JsonObject) -> str | None:
    return _listed(
        " on ".join(filter(None, [gpu.get("name") or "GPU", gpu.get("host")])) for gpu in run.get("gpu") or ()
    )


def _drivers(run: JsonObject) -> str | None:
    return _listed(_text(gpu.get("driver")) or "" for gpu in run.get("gpu") or ())


def _frame(run: JsonObject) -> str | None:
    frame = run.get("frame") or {}
    if frame.get("ms") is None:
        return None
    size = _text(frame.get("bytes"))
    return f"{_text(frame['ms'])} ms{f', {size} bytes' if size else ''}"


def _clips(run: JsonObject) -> str | None:
    clips = run.get("clips") or {}
    digest = clips.get("manifest_sha256")
    return f"{clips.get('n')} of {clips.get('source')} ({str(digest)[:12]})" if digest else None


def _language(run: JsonObject) -> str | None:
    return _text((run.get("language") or {}).get("code"))


_FACTS: dict[str, Callable[[JsonObject], str | None]] = {
    "end of utterance": lambda run: _text(run.get("end")),
    "frame rule": _frame,
    "clips": _clips,
    "normaliser": lambda run: _text(run.get("normaliser")),
    "server's machine": _servers,
    "load machine": _hosts,
    "GPU": _gpus,
    "GPU driver": _drivers,
    "server": lambda run: _text(run.get("stt_url")),
    "dialect": lambda run: _text(run.get("dialect")),
    "dialect options": lambda run: _text(run.get("dialect_options")),
    "language": _language,
    "plan": lambda run: _text(run.get("plan")),
    "trailing silence": lambda run: _text(run.get("trailing_silence_s")),
    "seed": lambda run: _text(run.get("seed")),
    "objectives": lambda run: _text(run.get("slos")),
}


def _listed(parts: Iterable[str]) -> str | None:
    return "; ".join(dict.fromkeys(filter(None, parts))) or None


def _text(value: object) -> str | None:
    """A value of run.json in words; None for one that says nothing."""
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_text(item) or "" for item in value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
