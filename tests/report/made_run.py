"""Runs as the load side writes them, made up from a seed: the same arguments give the same lines."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from made_samples import cpu_rows, gpu_row, tag_of
from msgspec.structs import replace

from stt_load.metrics.wer import scored
from stt_load.records import UtteranceRecord
from stt_load.sealed_lines import sealed, sealed_file

START_S = 1_790_000_000.0
TEXTS = (
    "please send me a copy of my last three bills by email",
    "the quick train to the airport leaves from platform nine",
    "we moved house in april and the heating still does not work",
    "could you tell me how long the repair is going to take",
    "my brother would like to change the date of his appointment",
    "there was a loud noise and then every light in the street went out",
)


@dataclass
class MadeRun:
    """The contents of the raw files. `gpu` and `host`: what a sidecar sampled. `server`: what the server said.
    `clip_words`: when the words of clips sound."""

    run: dict[str, Any]
    transitions: list[dict[str, Any]] = field(default_factory=list)
    utterances: list[UtteranceRecord] = field(default_factory=list)
    gpu: list[dict[str, Any]] = field(default_factory=list)
    host: list[dict[str, Any]] = field(default_factory=list)
    server: list[dict[str, Any]] = field(default_factory=list)
    clip_words: list[dict[str, Any]] = field(default_factory=list)

    @property
    def samples(self) -> list[dict[str, Any]]:
        return [*self.gpu, *self.host]

    def span(self, stage: int) -> tuple[float, float]:
        """When its hold was."""
        at = next(n for n, row in enumerate(self.transitions) if row["stage"] == stage and row["phase"] == "hold")
        return self.transitions[at]["t"], self.transitions[at + 1]["t"]

    def drop_samples(self, began: float, ended: float) -> None:
        """Drops the samples between two moments, as if none had come."""
        self.gpu = [row for row in self.gpu if not began < row["t"] < ended]
        self.host = [row for row in self.host if not began < row["t"] < ended]

    def write(self, folder: Path) -> Path:
        """Writes the raw files as a run does, every line with its seal."""
        folder.mkdir(parents=True, exist_ok=True)
        files = {
            "stages.jsonl": [json.dumps(row).encode() for row in self.transitions],
            "gpu.jsonl": [json.dumps(row).encode() for row in self.gpu],
            "host.jsonl": [json.dumps(row).encode() for row in self.host],
            "utterances.jsonl": [record.to_json() for record in self.utterances],
            **({"server.jsonl": [json.dumps(row).encode() for row in self.server]} if self.server else {}),
            **({"words.jsonl": [json.dumps(row).encode() for row in self.clip_words]} if self.clip_words else {}),
        }
        for name, rows in files.items():
            lines = [sealed(row, number) + b"\n" for number, row in enumerate(rows)]
            (folder / name).write_bytes(b"".join(lines))
        is_finished = self.transitions[-1]["phase"] == "done"
        run = self.run | ({"lines": {name: len(rows) for name, rows in files.items()}} if is_finished else {})
        (folder / "run.json").write_bytes(sealed_file(json.dumps(run, indent=2).encode()))
        return folder


def utterance(stage: int, users: int, index: int = 0, **changes: Any) -> UtteranceRecord:
    """One perfect utterance of a hold, with `changes`; scored."""
    text = TEXTS[index % len(TEXTS)]
    record = UtteranceRecord(
        **{
            "run_id": "made",
            "worker": 0,
            "user": index % users,
            "stage": stage,
            "phase": "hold",
            "users": users,
            "clip_id": f"clip-{index % len(TEXTS)}",
            "reference": text,
            "outcome": "ok",
            "eos_latency_s": 0.4,
            "stream_end_latency_s": -0.2,
            "first_partial_s": 0.9,
            "connect_s": 0.003,
            "ready_s": 0.0,
            "pacing_lag_p99_s": 0.002,
            "pacing_lag_max_s": 0.004,
            "pacing_lag_counts": {1: 50, 2: 1, 4: 1},
            "audio_s": 5.0,
            "speech_s": 3.8,
            "duration_s": 5.4,
            "frames": 52,
            "text": text,
            "foreign_text": 0,
            "turn_ends": [(4.2, len(text))],
            "speech_bounds": (0.1, 3.9),
            "endpointing_delay_s": 0.3,
            "cut_early": False,
            "turns": 1,
        }
        | changes
    )
    return scored(record)


def made_run(
    ladder: tuple[int, ...] = (1, 5, 10, 20, 30),
    per_stage: int = 80,
    knee_at: int = 20,
    seed: int = 7,
    hold_s: float = 30.0,
    gpu: bool = True,
    host: bool = False,
) -> MadeRun:
    """A clean run whose latency and WER climb from `knee_at` callers on. `gpu`, `host`: with samples of these."""
    rng = random.Random(seed)
    sampler = random.Random(seed)
    made = MadeRun(_run())
    t = START_S
    for stage, users in enumerate(ladder):
        strain = max(0.0, (users - knee_at) / knee_at)
        counts = {"ramp": 0, "hold": 0, "grace": per_stage, "settle": per_stage}
        for phase, length_s in (("ramp", 2.0), ("hold", hold_s), ("grace", 6.0), ("settle", 3.0)):
            ended = per_stage if phase == "settle" else 0
            made.transitions.append(_transition(made, t, stage, phase, users, counts[phase], ended))
            if phase == "hold":
                made.utterances += [
                    _strained(rng, stage, users, index, strain, t + rng.uniform(0, hold_s))
                    for index in range(per_stage)
                ]
            tag = tag_of(made.transitions[-1])
            for second in range(int(length_s)):
                made.gpu += [gpu_row(sampler, t + second, tag)] if gpu else []
                made.host += cpu_rows(sampler, t + second, tag) if host else []
            t += length_s
    made.transitions.append(_transition(made, t, len(ladder) - 1, "done", ladder[-1], per_stage, per_stage))
    made.transitions[-1] |= {
        "workers": 0,
        "aborted": False,
        "delivery": {
            "rows": len(made.utterances),
            "totals": {"one": len(made.utterances)},
            "missing_seq": 0,
            "workers_lost": 0,
        },
    }
    return made


def made_uploads(ladder: tuple[int, ...] = (1, 4, 8), per_stage: int = 60, streams: bool = False) -> MadeRun:
    """Uploads to a server that takes one after the other: k at once take k times as long. `streams`: its answers."""
    made = made_run(ladder, per_stage, gpu=False)
    made.run |= {"kind": "upload", "dialect": "upload-openai", "frame": None, "end": "client"}
    made.run |= {"trailing_silence_s": 0.0, "slos": ["rtf:p95<1", "error_rate<1%", "wer_delta<5%"]}
    rng = random.Random(3)
    made.utterances = [_uploaded(rng, record, streams) for record in made.utterances]
    return made


def made_speech(ladder: tuple[int, ...] = (1, 4), per_stage: int = 60, streams: bool = True) -> MadeRun:
    """Texts spoken by a server. `streams`: it sends audio while it speaks; one answer in thirty has an underrun."""
    made = made_uploads(ladder, per_stage)
    made.run |= {"kind": "tts", "dialect": "tts-openai", "slos": ["rtf:p95<1", "underruns<1", "error_rate<1%"]}
    made.utterances = [
        replace(
            record,
            kind="tts",
            first_text_s=None,
            first_audio_s=(record.total_s or 0.0) / 3 if streams else None,
            gap_max_s=0.05 if streams else None,
            underruns=int(index % 30 == 0) if streams else None,
        )
        for index, record in enumerate(made.utterances)
    ]
    return made


def _uploaded(rng: random.Random, record: UtteranceRecord, streams: bool) -> UtteranceRecord:
    total_s = record.users * rng.uniform(0.55, 0.65)
    return replace(
        record,
        kind="upload",
        **dict.fromkeys(("eos_latency_s", "stream_end_latency_s", "first_partial_s", "ready_s")),
        **dict.fromkeys(("pacing_lag_p99_s", "pacing_lag_max_s", "pacing_lag_counts")),
        **dict.fromkeys(("turn_ends", "speech_bounds", "endpointing_delay_s", "cut_early", "turns")),
        frames=0,
        audio_s=record.speech_s + 0.2,
        total_s=total_s,
        first_text_s=total_s / 2 if streams else None,
        duration_s=total_s,
        end="client",
    )


def _strained(
    rng: random.Random, stage: int, users: int, index: int, strain: float, started_at: float
) -> UtteranceRecord:
    eos_s = rng.gauss(0.45, 0.05) + rng.expovariate(1.0) * 0.02 + strain * rng.uniform(0.5, 2.0)
    words = [word for word in TEXTS[index % len(TEXTS)].split() if rng.random() > 0.03 + 0.04 * strain]
    return utterance(
        stage,
        users,
        index,
        text=" ".join(words),
        eos_latency_s=eos_s,
        stream_end_latency_s=eos_s - 0.6,
        first_partial_s=0.8 + eos_s / 2,
        started_at=started_at,
        pacing_lag_p99_s=0.001 + 0.0001 * users + rng.random() * 0.001,
        pacing_lag_max_s=0.004 + 0.0001 * users,
        stamp="kernel",
        server_ms={"decode": 100 * eos_s},
    )


def _run() -> dict[str, Any]:
    return {
        "schema_version": 1,
        "run_id": "made",
        "label": "made-up",
        "options": {"concurrency": "1,5,10,20,30", "hold": 30.0},
        "versions": {"stt-load": "0.1.0", "python": "3.11"},
        "dialect": "parakeet",
        "frame": {"asked_ms": 100, "ms": 96, "bytes": 3072, "note": "100 ms asked, 96 ms sent: nothing is cut off"},
        "trailing_silence_s": 1.0,
        "end": "server",
        "clips": {"n": 6, "source": "made up", "manifest_sha256": "0" * 64, "speech_s_mean": 3.8},
        "normaliser": "whisper-normalizer",
        "seed": 7,
        "slos": ["eos_latency:p95<1s", "error_rate<1%", "wer_delta<5%"],
        "hosts": [{"host": "load", "role": "master", "architecture": "x86_64", "cores": 2}],
        "gpu": [],
        "notes": [],
        "started_at": START_S,
        "ended_at": START_S + 205,
    }


def _transition(made: MadeRun, t: float, stage: int, phase: str, users: int, begun: int, ended: int) -> dict[str, Any]:
    return {
        "seq": len(made.transitions),
        "t": t,
        "mono": t - START_S,
        "run_id": "made",
        "stage": stage,
        "phase": phase,
        "users": users,
        "reached": 0 if phase == "ramp" else users,
        "workers": 1,
        "begun": begun,
        "ended": ended,
        "generator_cpu_pct": 12.0 + users,
        "reason": "made up",
    }
