"""What was run on what, as `run.json` says it: the facts that runs are compared by, told in words.

Two runs that differ in a fact which `is_test` have measured different things: nothing can be compared, and no trend
goes from one to the other. Those that differ in one which `is_asked` have asked another model, or asked it in another
way: what else differs says nothing of their machines.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from stt_load.options import OPTIONS
from stt_load.report.machines import HARDWARE, gpus, in_words, load_machines, server_machines
from stt_load.text.url_secrets import without_credentials, without_secrets_of_urls

JsonObject = Mapping[str, Any]

_TOLD_OTHERWISE = frozenset(
    {"label", "results", "output", "verbose", "live", "stt-url", "url", "tts-url", "dialect", "clips", "end", "seed"}
    | {"slo", "gpu-sidecar", "gpu-id", "server-process", "language", "frame-ms", "trailing-silence", "concurrency"}
)
"""Options that other facts tell, or that change nothing that is measured."""

_MACHINE = ("host", *HARDWARE)


@dataclass(frozen=True, slots=True)
class Fact:
    """One fact. `tell`: its value in words; None where the run doesn't say it."""

    name: str
    tell: Callable[[JsonObject], str | None]
    is_test: bool = False
    is_asked: bool = False


def run_facts(run: JsonObject) -> dict[str, tuple[str, ...]]:
    """Each fact that the run has, in the order in which differences are told. An option that it does not name, as one
    that its version did not have, was at its default."""
    defaults = {option.name: False if option.is_flag else option.default for option in OPTIONS}
    options = {**defaults, **(run.get("options") or {})}
    versions = run.get("versions") or {}
    told = {fact.name: fact.tell(run) for fact in FACTS}
    told |= {f"--{name}": _text(value) for name, value in options.items() if name not in _TOLD_OTHERWISE}
    told |= {f"version of {name}": _text(value) for name, value in versions.items()}
    return {name: (without_secrets_of_urls(value),) for name, value in told.items() if value}


def what_was_measured(run: JsonObject) -> dict[str, str | None]:
    """The facts of the test: in two runs that are held against each other none of them differs."""
    return {fact.name: fact.tell(run) for fact in FACTS if fact.is_test}


def what_was_asked(run: JsonObject) -> dict[str, str | None]:
    """What was asked of which model, and how. Credentials are not among it."""
    query = urlsplit(without_credentials(str(run.get("stt_url") or "")) or "").query
    return {fact.name: fact.tell(run) for fact in FACTS if fact.is_asked} | {
        "query of the URL": query or ("none" if run.get("stt_url") else None),
        "pause of a caller (--pause)": _text((run.get("options") or {}).get("pause")),
    }


def hardware(run: JsonObject) -> str:
    """The GPUs and the server's machine, on one line; the load machine where no sidecar told of the server's."""
    return "; ".join(filter(None, [_gpus(run), _servers(run) or _hosts(run)])) or "not known"


def _servers(run: JsonObject) -> str | None:
    """The machines of the sidecars that tell more of it than its name."""
    return _listed(in_words(machine, _MACHINE) for machine in server_machines(run) if len(machine) > 1)


def _hosts(run: JsonObject) -> str | None:
    return _listed(in_words(host, _MACHINE) for host in load_machines(run))


def _gpus(run: JsonObject) -> str | None:
    return _listed(" on ".join(filter(None, [gpu.get("name") or "GPU", gpu.get("host")])) for gpu in gpus(run))


def _drivers(run: JsonObject) -> str | None:
    return _listed(_text(gpu.get("driver")) or "" for gpu in gpus(run))


def _frame(run: JsonObject) -> str | None:
    frame = run.get("frame") or {}
    if frame.get("ms") is None:
        return None
    size = _text(frame.get("bytes"))
    return f"{_text(frame['ms'])} ms{f', {size} bytes' if size else ''}"


def _clips(run: JsonObject) -> str | None:
    clips = run.get("clips") or {}
    digest = clips.get("manifest_sha256")
    return f"{clips.get('n')} ({str(digest)[:12]})" if digest else None


def _loop(run: JsonObject) -> str | None:
    """Whether callers stay, or calls come at a rate."""
    options = run.get("options")
    if options is None:
        return None
    call = _text(options.get("call"))
    return f"open, calls of {call} on average" if options.get("arrivals") else "closed"


def _dialect_options(run: JsonObject) -> str | None:
    """Without any, the model is the server's own, which is another than one that was named."""
    return _text(run.get("dialect_options")) or "none"


FACTS = (
    Fact("loop", _loop, is_test=True),
    Fact("end of utterance", lambda run: _text(run.get("end")), is_test=True, is_asked=True),
    Fact("frame rule", _frame, is_test=True, is_asked=True),
    Fact("clips", _clips, is_test=True, is_asked=True),
    Fact("normaliser", lambda run: _text(run.get("normaliser")), is_test=True),
    Fact("source of the clips", lambda run: _text((run.get("clips") or {}).get("source"))),
    Fact("server's machine", _servers),
    Fact("load machine", _hosts),
    Fact("GPU", _gpus),
    Fact("GPU driver", _drivers),
    Fact("server", lambda run: _text(run.get("stt_url"))),
    Fact("dialect", lambda run: _text(run.get("dialect")), is_asked=True),
    Fact("dialect options", _dialect_options, is_asked=True),
    Fact("language", lambda run: _text((run.get("language") or {}).get("code"))),
    Fact("plan", lambda run: _text(run.get("plan"))),
    Fact("trailing silence", lambda run: _text(run.get("trailing_silence_s")), is_asked=True),
    Fact("seed", lambda run: _text(run.get("seed"))),
    Fact("objectives", lambda run: _text(run.get("slos"))),
)


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
