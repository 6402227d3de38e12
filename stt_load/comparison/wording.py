"""The words and the tables of a comparison, the same in every form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from stt_load.comparison.compare import NO_CHANGE, Cell, Comparison, Difference, FailOn, Line, Status
from stt_load.comparison.noise import Basis
from stt_load.comparison.results import ALL_TEXTS, Result
from stt_load.errors import ExitCode
from stt_load.metrics.figures import NOTHING
from stt_load.report.table import FEW

TITLE = "Comparison"
_PAIR = ("Before", "After")
_LONGEST_LABEL = 16
_LONGEST_VALUE = 160
_ARROW = " → "


class Tone(StrEnum):
    """How a cell is to look."""

    PLAIN = ""
    GOOD = "good"
    BAD = "bad"
    FAINT = "faint"


@dataclass(frozen=True, slots=True)
class TextCell:
    """One cell of a table, its lines divided by line breaks."""

    text: str
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class TextTable:
    """A table of text cells. `n_left`: how many of its columns are words, aligned to the left; the rest are figures."""

    headings: tuple[str, ...]
    rows: tuple[tuple[TextCell, ...], ...]
    n_left: int


def header(comparison: Comparison) -> list[tuple[str, str]]:
    """What was compared: the rows over the table."""
    results = comparison.results
    return [
        ("Phase", _ARROW.join(names(comparison))),
        ("Date", _same_or_each([_date(result) for result in results])),
        ("Hardware", _same_or_each([result.hardware for result in results])),
        ("Load", load_line(comparison)),
    ]


def names(comparison: Comparison) -> list[str]:
    """The label of each result, with a letter where two have the same, and the number of its repeats."""
    labels = [result.label for result in comparison.results]
    return [
        f"{label}{f' ({chr(65 + at)})' if labels.count(label) > 1 else ''}"
        f"{f', {len(result.paths)} repeats' if len(result.paths) > 1 else ''}"
        for at, (label, result) in enumerate(zip(labels, comparison.results, strict=True))
    ]


def load_line(comparison: Comparison) -> str:
    """What the box is about: `a run of streams, at 20 callers`."""
    first = comparison.first
    if comparison.reference is None:
        return first.what
    held = first.holds if comparison.is_ladder else None
    why = ", the most that the first holds" if held and str(held) == comparison.reference else ""
    return f"{first.what}, {at_load(comparison, comparison.reference)}{why}"


def at_load(comparison: Comparison, load: str) -> str:
    first = comparison.first
    if not comparison.is_ladder:
        return load if load == ALL_TEXTS else f"text {load}"
    return f"at {load} {first.caller if load == '1' else first.callers}"


def verdict(comparison: Comparison, fail_on: Sequence[FailOn]) -> tuple[str, Tone]:
    """The answer in capitals, with the exit code."""
    code = comparison.exit_code(fail_on)
    if code is ExitCode.NOT_BELIEVABLE:
        word, tone = "NOT TO BE BELIEVED", Tone.BAD
    elif comparison.regressions:
        word, tone = "REGRESSION", Tone.BAD
    elif comparison.misses:
        word, tone = "TARGET MISSED", Tone.BAD
    elif not _has_noise(comparison):
        word, tone = "NOTHING CAN BE TOLD FROM NOISE", Tone.PLAIN
    else:
        word, tone = "NO REGRESSION", Tone.GOOD
    return f"{word} (exit code {int(code)})", tone


def _has_noise(comparison: Comparison) -> bool:
    return any(cell.noise is not None for line in comparison.lines for cell in line.cells)


def changes(comparison: Comparison) -> list[TextCell]:
    """A sentence for each change that is told, those for the worse first; or that there is none."""
    told: list[TextCell] = []
    for line in comparison.lines:
        for at, cell in enumerate(line.cells[1:], 1):
            if cell.word not in ("", NO_CHANGE):
                is_better = line.measure.words.better and not line.measure.is_worse(cell.change or 0.0)
                tone = Tone.BAD if cell.is_regression else Tone.GOOD if is_better else Tone.PLAIN
                told.append(TextCell(_sentence(comparison, line, at), tone))
    if told:
        return sorted(told, key=lambda cell: (Tone.BAD, Tone.GOOD, Tone.PLAIN).index(cell.tone))
    if not _has_noise(comparison):
        return [TextCell("Nothing says how large a change may be by chance: see the notes.")]
    return [TextCell("No change that can be told from noise.")]


def _sentence(comparison: Comparison, line: Line, at: int) -> str:
    before, after = line.cells[0].value, line.cells[at].value
    cell, measure = line.cells[at], line.measure
    assert before is not None and after is not None and cell.change is not None
    where = f"{at_load(comparison, line.load)}: " if line.load else ""
    who = f"{names(comparison)[at]}, " if len(comparison.results) > 2 else ""
    noise = f", noise ±{measure.change(cell.noise, before, sign=False)}" if cell.noise is not None else ""
    sentence = (
        f"{who}{where}{measure.heading} is {cell.word}: {measure.value(before)} → {measure.value(after)} "
        f"({measure.change(cell.change, before)}{noise})"
        if not cell.word.startswith("holds")
        else f"{who}{cell.word}: {measure.value(before)} → {measure.value(after)}"
    )
    return sentence if who else sentence[0].upper() + sentence[1:]


def target_status(comparison: Comparison) -> list[str]:
    """How many targets each result after the first meets, in one line each; none without targets."""
    lines = []
    for at, name in enumerate(names(comparison)):
        statuses = comparison.statuses(at)
        if at and statuses:
            passing = sum(status is not Status.MISS for status in statuses)
            who = f" ({name})" if len(comparison.results) > 2 else ""
            lines.append(f"Target Status: {passing}/{len(statuses)} metrics passing{who}")
    unjudged = [
        line.measure.heading for line in comparison.box if line.target and all(c.value is None for c in line.cells[1:])
    ]
    return [*lines, f"Not measured, so not judged: {', '.join(unjudged)}"] if unjudged else lines


def box_table(comparison: Comparison) -> TextTable:
    """The box: a row for each measure."""
    has_targets = any(line.target for line in comparison.box)
    shown = [line for line in comparison.box if any(cell.value is not None for cell in line.cells)]
    rows = []
    for line in shown:
        target = [TextCell(line.target.text if line.target else "")] if has_targets else []
        rows.append(
            (
                TextCell(line.measure.heading),
                *_cells(line, has_targets=has_targets),
                *target,
                *_last(line, has_targets, comparison),
            )
        )
    tail = (("Target", "Status") if len(comparison.results) == 2 else ("Target",)) if has_targets else ()
    return TextTable(("Metric", *_headings(comparison), *tail), tuple(rows), n_left=1)


def _last(line: Line, has_targets: bool, comparison: Comparison) -> list[TextCell]:
    if not has_targets or len(comparison.results) > 2:
        return []
    return [_status_cell(line.cells[1].status)]


def ladder_table(comparison: Comparison) -> TextTable | None:
    """The main figures under every other load; None where there is none."""
    if not comparison.ladder:
        return None
    rows = []
    before = None
    for line in comparison.ladder:
        load = TextCell("" if line.load == before else str(line.load))
        before = line.load
        rows.append((load, TextCell(line.measure.heading), *_cells(line, has_targets=False)))
    what = comparison.first.callers.capitalize() if comparison.is_ladder else "Text"
    return TextTable((what, "Metric", *_headings(comparison)), tuple(rows), n_left=2)


def _headings(comparison: Comparison) -> tuple[str, ...]:
    if len(comparison.results) == 2:
        return (*_PAIR, "Change", "Noise")
    return tuple(_short(name, _LONGEST_LABEL) for name in names(comparison))


def _cells(line: Line, *, has_targets: bool) -> list[TextCell]:
    """The cells between the name of the measure and its target."""
    first, *others = line.cells
    if len(others) == 1:
        (cell,) = others
        noise = " ".join(filter(None, [cell.word, _noise(line, cell)])) or NOTHING
        return [
            _value(line, first),
            _value(line, cell),
            TextCell(_change(line, cell)),
            TextCell(noise, _tone(line, cell)),
        ]
    cells = [_value(line, first)]
    for cell in others:
        status = f" {cell.status}" if has_targets and cell.status else ""
        under = [f"{_change(line, cell)} {cell.word}".strip(), _noise(line, cell)] if cell.change is not None else []
        tone = Tone.BAD if cell.status is Status.MISS else _tone(line, cell)
        cells.append(TextCell("\n".join(filter(None, [_value(line, cell).text + status, *under])), tone))
    return cells


def _value(line: Line, cell: Cell) -> TextCell:
    if cell.value is None:
        return TextCell(NOTHING)
    interval = ""
    if cell.interval is not None:
        low, high = cell.interval
        interval = f" ({low}–{high})" if high is not None else f" ({low} or more)"
    return TextCell(line.measure.value(cell.value) + (FEW if cell.is_few else "") + interval)


def _change(line: Line, cell: Cell) -> str:
    before = line.cells[0].value
    return NOTHING if cell.change is None or before is None else line.measure.change(cell.change, before)


def _noise(line: Line, cell: Cell) -> str:
    before = line.cells[0].value
    if cell.noise is None or before is None:
        return ""
    text = line.measure.change(cell.noise, before, sign=False)
    return "" if text == NOTHING else f"±{text}"


def _tone(line: Line, cell: Cell) -> Tone:
    if cell.is_regression:
        return Tone.BAD
    if cell.word in ("", NO_CHANGE):
        return Tone.FAINT
    return Tone.GOOD if line.measure.words.better else Tone.PLAIN


def _status_cell(status: Status | None) -> TextCell:
    if status is None:
        return TextCell("")
    return TextCell(str(status), Tone.BAD if status is Status.MISS else Tone.GOOD)


def difference_lines(comparison: Comparison) -> list[str]:
    """What differs between the results, a line each; versions and options share one."""
    plain, versions, options = [], [], []
    for difference in comparison.differences:
        if difference.name.startswith("version of "):
            versions.append(_difference(difference, difference.name.removeprefix("version of ")))
        elif difference.name.startswith("--"):
            options.append(_difference(difference, difference.name))
        else:
            plain.append(_difference(difference, f"{difference.name}:"))
    lines = [*plain, *([f"options: {'; '.join(options)}"] if options else [])]
    return [*lines, *([f"versions: {'; '.join(versions)}"] if versions else [])]


def _difference(difference: Difference, name: str) -> str:
    return f"{name} {_ARROW.join(_short(value, _LONGEST_VALUE) for value in difference.values)}"


def void_lines(comparison: Comparison) -> list[str]:
    """Why the results must not be compared, a line each."""
    return [f"{_difference(difference, f'{difference.name}:')}" for difference in comparison.voids]


def doubt_lines(comparison: Comparison) -> list[str]:
    """What is not to be believed, and which stages are left out, a line each."""
    lines = []
    for name, result in zip(names(comparison), comparison.results, strict=True):
        lines += [f"{name} is not to be believed: {doubt}" for doubt in result.doubts]
        lines += [f"{name}, not compared: {line}" for line in result.left_out if line not in result.doubts]
    if comparison.reference is None:
        lines.append("nothing that all have can be believed: nothing is compared")
    return (
        [*lines, "`stt-load report FOLDER` says more of a run, and what to do"]
        if lines and comparison.is_ladder
        else lines
    )


_BASES: dict[Basis, str] = {
    Basis.REPEATS: "noise from repeats: how far results of the same thing lie apart",
    Basis.CLIPS: "noise of WER: from the clips that both sides completed; the change too",
    Basis.CALLERS: "noise from one run on each side: a bootstrap over callers and over slices of the hold. It does not "
    "see what differs between two runs of the same server. Repeats do: A1,A2,A3 B1,B2,B3",
    Basis.SPREAD: "noise of means: from the standard deviations in the files, which tell nothing of percentiles, "
    "RTF and memory. Repeats do: A1.json,A2.json,A3.json B1.json,B2.json,B3.json",
    Basis.INTERVAL: "noise of what a search found: from its intervals, in brackets",
}


def notes(comparison: Comparison) -> list[str]:
    """What a reader needs to know of the words and signs."""
    cells = [cell for line in comparison.lines for cell in line.cells[1:]]
    bases = {cell.basis for cell in cells if cell.basis}
    lines = [
        f"{name}: {note}"
        for name, result in zip(names(comparison), comparison.results, strict=True)
        for note in result.notes
    ]
    if _has_noise(comparison):
        lines.append(
            f"± is the noise: how large a change may be by chance. `{NO_CHANGE}`: none that can be told from it. "
            "Of all changes with a ± together, any is told by mistake in at most 1 comparison of 20"
        )
    lines += [text for basis, text in _BASES.items() if basis in bases]
    lines += list(_signs(comparison, cells))
    return lines


def _signs(comparison: Comparison, cells: Iterable[Cell]) -> Iterator[str]:
    texts = [
        cell.text
        for table in (box_table(comparison), ladder_table(comparison))
        if table
        for row in table.rows
        for cell in row
    ]
    if any(" pt" in text for text in texts):
        yield "pt: percent points"
    if any(FEW in text for text in texts):
        yield f"{FEW} too few utterances for this percentile: only repeats tell its changes from noise"
    if any("failed" in text for text in texts):
        yield "failed: the utterance at this percentile did not complete"
    if any(cell.status is Status.STRETCH for cell in cells):
        yield f"{Status.STRETCH}: the stretch target, the second number, is met too"


def _same_or_each(texts: Sequence[str]) -> str:
    return texts[0] if len(set(texts)) == 1 else _ARROW.join(texts)


def _date(result: Result) -> str:
    if result.started_at is None:
        return "not known"
    return datetime.fromtimestamp(result.started_at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
