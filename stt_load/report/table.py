"""The one table that people read, as text cells: the console and the page print the same.

Latencies are seconds. A `*` behind a percentile says that n is too small to be certain of it; behind a
verdict, that it rests on such a percentile. A `?` behind a GPU figure, or `lost` in its place: too much of the hold
was not sampled.
"""

from __future__ import annotations

from collections.abc import Callable

from stt_load.metrics.quantiles import Distribution, smallest_n
from stt_load.records import Kind
from stt_load.report.model import RunReport, StageReport
from stt_load.report.resources import resource_table
from stt_load.report.wording import NOTHING, sampled, sampled_explanation

FEW = "*"
NOT_STREAMED = "not streamed"


def _seconds(metric: str, name: str, p: float | None = None) -> Callable[[StageReport], str]:
    """`p` marks the cell where n does not support it."""

    def cell(stage: StageReport) -> str:
        return _marked(stage.figures.latencies[metric], name, p)

    return cell


def _marked(values: Distribution, name: str, p: float | None) -> str:
    value = values.statistic(name)
    if value is None:
        return NOTHING
    return f"{value:.3f}{FEW if p is not None and not values.supports(p) else ''}"


def _gpu(field: str, name: str) -> Callable[[StageReport], str]:
    def cell(stage: StageReport) -> str:
        gpu = stage.busiest("gpu")
        value = gpu.of(field).statistic(name) if gpu else None
        return sampled(NOTHING if value is None else f"{value:.0f}", stage.coverage("gpu"))

    return cell


def _wer(stage: StageReport) -> str:
    wer = stage.figures.wer
    return NOTHING if wer is None else f"{wer * 100:.1f}"


def _first_audio(name: str, p: float) -> Callable[[StageReport], str]:
    def cell(stage: StageReport) -> str:
        values = stage.figures.latencies["first_audio"]
        return NOT_STREAMED if stage.figures.ok and not values.n else _marked(values, name, p)

    return cell


def _underruns(stage: StageReport) -> str:
    return str(stage.figures.underruns) if stage.figures.latencies["first_audio"].n else NOTHING


def _rate(stage: StageReport) -> str:
    return NOTHING if stage.requests_per_s is None else f"{stage.requests_per_s:.2f}"


def _audio(stage: StageReport) -> str:
    mean_s = stage.figures.utterance_s_mean
    return NOTHING if mean_s is None else f"{mean_s:.2f}"


Columns = dict[str, Callable[[StageReport], str]]

_DEVICE_COLUMNS: Columns = {
    "GPU%p95": _gpu("sm_pct", "p95"),
    "GPU%mean": _gpu("sm_pct", "mean"),
    "VRAM peak": _gpu("fb_mib", "max"),
    "VRAM mean": _gpu("fb_mib", "mean"),
}
_LAST_COLUMNS: Columns = {
    "n": lambda stage: str(stage.figures.n),
    "errors": lambda stage: str(stage.figures.errors),
    "verdict": lambda stage: stage.mark,
}
COLUMNS: dict[Kind, Columns] = {
    Kind.STREAM: {
        "Conc": lambda stage: str(stage.users),
        "EOS p50": _seconds("eos_latency", "p50", 0.50),
        "EOS p95": _seconds("eos_latency", "p95", 0.95),
        "EOS mean": _seconds("eos_latency", "mean"),
        "after last frame p95": _seconds("stream_end_latency", "p95", 0.95),
        "Audio Dur": _audio,
        "WER%": _wer,
        **_DEVICE_COLUMNS,
        **_LAST_COLUMNS,
    },
    Kind.UPLOAD: {
        "Conc": lambda stage: str(stage.users),
        "total p50": _seconds("total", "p50", 0.50),
        "total p95": _seconds("total", "p95", 0.95),
        "total mean": _seconds("total", "mean"),
        "first text p95": _seconds("first_text", "p95", 0.95),
        "Audio Dur": _audio,
        "RTF p95": lambda stage: _marked(stage.figures.rtf, "p95", 0.95),
        "req/s": _rate,
        "WER%": _wer,
        **_DEVICE_COLUMNS,
        **_LAST_COLUMNS,
    },
    Kind.TTS: {
        "Conc": lambda stage: str(stage.users),
        "total p50": _seconds("total", "p50", 0.50),
        "total p95": _seconds("total", "p95", 0.95),
        "first audio p50": _first_audio("p50", 0.50),
        "first audio p95": _first_audio("p95", 0.95),
        "gap p95": _seconds("gap_max", "p95", 0.95),
        "dry": _underruns,
        "Audio Dur": _audio,
        "RTF p95": lambda stage: _marked(stage.figures.rtf, "p95", 0.95),
        "req/s": _rate,
        **_DEVICE_COLUMNS,
        **_LAST_COLUMNS,
    },
}


def headings(report: RunReport) -> tuple[str, ...]:
    return tuple(COLUMNS[report.kind])


def rows(report: RunReport) -> list[tuple[str, ...]]:
    """One row of text cells a stage, in the order of `headings`."""
    return [tuple(cell(stage) for cell in COLUMNS[report.kind].values()) for stage in report.stages]


def explanations(report: RunReport) -> list[str]:
    """What the reader must know to read this table, and nothing that it does not show."""
    lines = _EXPLAINED[report.kind](report)
    if report.run.get("normaliser"):
        lines.append(f"WER is counted after {report.run['normaliser']}.")
    if any(cell.endswith(FEW) for line in rows(report) for cell in line):
        needed = ", ".join(f"p{p * 100:g} needs {smallest_n(p)}" for p in (0.50, 0.95))
        lines.append(f"{FEW} too few samples to be certain: {needed}. Ask for more with --at-least.")
    took = resource_table(report)
    lines += sampled_explanation(cell for line in (*rows(report), *(took.rows if took else ())) for cell in line)
    reused = sum(stage.figures.clips_reused for stage in report.stages)
    if reused:
        lines.append(f"Clips shared by two callers: {reused} times. Foreign text between those can't be seen.")
    return lines


_ENDED_BY = {
    "server": "The server ended each utterance, in the silence that followed: its patience is in EOS.",
    "client": "The client ended each utterance, by a message as speech ended; where the server does, figures differ.",
}


def _streaming_explained(report: RunReport) -> list[str]:
    return [
        "EOS: end of speech to complete transcript, seconds; after last frame: from the last frame sent, "
        "trailing silence included, below zero where the server was quicker.",
        _ENDED_BY.get(str(report.run.get("end")), "Nobody knows who ended the utterances."),
        f"One utterance sends {_span(report, _utterance)} s of audio; callers were sending "
        f"{_span(report, _duty)} % of the hold; {_span(report, _late)} % of the frames went out more than 10 ms late.",
    ]


def _uploads_explained(report: RunReport) -> list[str]:
    return [
        "total: first byte of the request to last byte of the answer, seconds; first text: the same start to the first "
        "words, where the server streams its answer. No latency of callers who speak: don't lay them side by side.",
        "RTF: total over the length of the audio, below 1 is faster than real time; "
        "req/s: completed requests that began in the hold, over its length.",
    ]


def _speech_explained(report: RunReport) -> list[str]:
    lines = [
        "total: first byte of the request to the end of the answer, seconds; RTF: total over the length of the audio, "
        "above 1 it speaks more slowly than one listens; req/s: completed requests that began in the hold, over its "
        "length.",
    ]
    ok = sum(stage.figures.ok for stage in report.stages)
    streamed = sum(stage.figures.latencies["first_audio"].n for stage in report.stages)
    if streamed:
        lines.append(
            f"first audio: the same start to the first audio behind the header; gap: longest pause within an answer; "
            f"dry: how often playback would have run dry. Of {streamed} answers that were streamed, of {ok} in all."
        )
    if streamed < ok:
        lines.append(
            f"{NOT_STREAMED}: finished files; the first byte of such an answer says no more than the total does."
        )
    return lines


_EXPLAINED: dict[Kind, Callable[[RunReport], list[str]]] = {
    Kind.STREAM: _streaming_explained,
    Kind.UPLOAD: _uploads_explained,
    Kind.TTS: _speech_explained,
}


def foreign_warning(report: RunReport) -> str | None:
    """One line where some caller got another caller's words; None where none did."""
    found = [(stage.users, stage.figures.foreign_text) for stage in report.stages if stage.figures.foreign_text]
    if not found:
        return None
    places = ", ".join(f"{count} at {users}" for users, count in found)
    return f"foreign text: messages carried another caller's words ({places} callers): the server mixes up sessions"


def validity_lines(report: RunReport) -> list[str]:
    """Broken conditions with advice, one line each; stages that break one in the same way share its line."""
    broken: dict[tuple[str, str, str], list[int]] = {}
    for stage in report.stages:
        for finding in stage.broken:
            broken.setdefault((finding.condition, finding.detail, finding.advice), []).append(stage.users)
    return [
        f"at {', '.join(map(str, users))}: {condition}: {detail}. {advice[0].upper()}{advice[1:]}."
        for (condition, detail, advice), users in broken.items()
    ]


def _utterance(stage: StageReport) -> float | None:
    return stage.figures.utterance_s_mean


def _duty(stage: StageReport) -> float | None:
    return None if stage.duty_cycle is None else stage.duty_cycle * 100


def _late(stage: StageReport) -> float | None:
    figures = stage.figures
    return 100 * figures.frames_late / figures.frames if figures.frames else None


def _span(report: RunReport, value: Callable[[StageReport], float | None]) -> str:
    """`4.8–5.1`, or one number where all stages agree."""
    values = [number for stage in report.stages if (number := value(stage)) is not None]
    ends = dict.fromkeys(f"{end:.1f}" for end in (min(values), max(values))) if values else {NOTHING: None}
    return "–".join(ends)
