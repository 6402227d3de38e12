"""A benchmark of texts as lines for people. Seconds; `-` is not measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich import box
from rich.table import Table
from rich.text import Text

from stt_load.metrics.quantiles import Distribution, smallest_n
from stt_load.text.printable import printable
from stt_load.tts.playback import PREBUFFER_S
from stt_load.tts_benchmark.results import NOT_STREAMED, Benchmark, TextRuns, deviation

NOTHING = "-"
FEW = "*"


def _seconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.3f}"


def _percentile(values: Distribution, p: float) -> str:
    return _seconds(values.at(p)) + (FEW if values.n and not values.supports(p) else "")


def _percentile_of(values: Distribution | None, p: float) -> str:
    return NOTHING if values is None else _percentile(values, p)


def _first_audio(p: float) -> Callable[[TextRuns], str]:
    def cell(text: TextRuns) -> str:
        if text.first_audio is None:
            return NOT_STREAMED if text.completed else NOTHING
        return _percentile(text.first_audio, p)

    return cell


Columns = dict[str, Callable[[TextRuns], str]]

_NAME: Columns = {"text": lambda text: text.name}
TOTALS: Columns = _NAME | {
    "words": lambda text: str(text.words),
    "audio": lambda text: NOTHING if text.audio_s.mean is None else f"{text.audio_s.mean:.2f}",
    "total p50": lambda text: _percentile(text.total, 0.50),
    "p95": lambda text: _percentile(text.total, 0.95),
    "p99": lambda text: _percentile(text.total, 0.99),
    "mean": lambda text: _seconds(text.total.mean),
    "std": lambda text: _seconds(deviation(text.total)),
    "min": lambda text: _seconds(text.total.min),
    "max": lambda text: _seconds(text.total.max),
    "RTF": lambda text: _seconds(text.rtf.mean),
    "VRAM GB": lambda text: NOTHING if text.vram_peak_mib is None else f"{text.vram_peak_mib / 1024:.2f}",
    "errors": lambda text: str(text.errors),
}
STREAMED: Columns = _NAME | {
    "first audio p50": _first_audio(0.50),
    "first audio p95": _first_audio(0.95),
    "gap p95": lambda text: _percentile(text.gaps, 0.95),
    "gap max": lambda text: _seconds(text.gaps.max),
    "underruns": lambda text: NOTHING if text.underruns is None else str(text.underruns),
}
AFTER_TEXT: Columns = {
    "after text p50": lambda text: _percentile_of(text.after_text, 0.50),
    "after text p95": lambda text: _percentile_of(text.after_text, 0.95),
}
"""Only where the text was fed token by token."""


def result_tables(benchmark: Benchmark) -> tuple[Table, Table]:
    """Two tables: of the whole answers, and of what came before their ends. Side by side they are too wide to read."""
    streamed = STREAMED | (AFTER_TEXT if _is_text_fed(benchmark) else {})
    return _table(TOTALS, benchmark), _table(streamed, benchmark)


def _is_text_fed(benchmark: Benchmark) -> bool:
    return any(text.after_text for text in benchmark.texts)


def _table(columns: Columns, benchmark: Benchmark) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False)
    for heading in columns:
        table.add_column(heading, justify="left" if heading == "text" else "right", vertical="bottom", no_wrap=False)
    for text in benchmark.texts:
        table.add_row(*(Text(printable(cell(text))) for cell in columns.values()))
    return table


def explanations(benchmark: Benchmark) -> list[str]:
    """What the reader must know to read these tables, and nothing that they do not show."""
    begins = "first token due" if _is_text_fed(benchmark) else "first byte of the request"
    lines = [f"total: {begins} to the end of the answer, seconds; RTF: total over seconds of audio."]
    if _is_text_fed(benchmark):
        lines.append(
            "after text: last token due to the first audio; below zero, the server spoke before it had all text."
        )
    done = [text for text in benchmark.texts if text.completed]
    if any(text.is_streamed for text in done):
        lines.append(
            "first audio: first byte of audio after the header; gap: pause between two pieces; underruns: how often a "
            f"player that starts with {PREBUFFER_S:g} s of audio would have run out of it, in all runs together."
        )
    if not all(text.is_streamed for text in done):
        lines.append(
            f"{NOT_STREAMED}: the server sent finished files (the length was known before the first byte, or nearly "
            "all of the total had passed by then), so the first byte says nothing that the total doesn't."
        )
    cells = [cell(text) for text in done for cell in (TOTALS | STREAMED).values()]
    if any(cell.endswith(FEW) for cell in cells):
        needed = ", ".join(f"p{p * 100:g} needs {smallest_n(p)}" for p in (0.50, 0.95, 0.99))
        lines.append(f"{FEW} too few runs to be certain: {needed}.")
    return [*lines, *_errors(benchmark.texts)]


def _errors(texts: Sequence[TextRuns]) -> list[str]:
    """Each different error once, with how often it came."""
    counts: dict[str, int] = {}
    for text in texts:
        for result in text.results:
            if not result.is_ok:
                line = f"{result.outcome}: {result.error}"
                counts[line] = counts.get(line, 0) + 1
    return [f"{count} times {line}" for line, count in counts.items()]
