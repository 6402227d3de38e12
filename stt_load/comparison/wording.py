"""A comparison in words, the same in every form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stt_load.comparison.compare import NO_CHANGE, Cell, Comparison, Difference, FailOn, Line, Status
from stt_load.comparison.noise import Basis
from stt_load.comparison.results import ALL_TEXTS, Result
from stt_load.comparison.tables import Tone, TonedCell, TonedTable, box_table, ladder_table, shortened
from stt_load.errors import ExitCode
from stt_load.report.table import FEW
from stt_load.report.wording import utc_minute

TITLE = "Comparison"
_LONGEST_VALUE = 160
_ARROW = " → "


@dataclass(frozen=True, slots=True)
class ComparisonText:
    """A comparison in words, as every form shows it.

    `verdict`: the answer in capitals, with the exit code. `changes`: what is told, a sentence each. `voids`: why the
    results must not be compared. `doubts`: what is not to be believed or left out. `header`: the rows over the box.
    `box`, `ladder`: None where there is nothing in them. `status`: how many targets are met. A line each.
    """

    verdict: str
    tone: Tone
    changes: list[TonedCell]
    voids: list[str]
    doubts: list[str]
    header: list[tuple[str, str]]
    box: TonedTable | None
    status: list[str]
    ladder: TonedTable | None
    differences: list[str]
    notes: list[str]


def in_words(comparison: Comparison, fail_on: Sequence[FailOn]) -> ComparisonText:
    """Puts a comparison into words. `fail_on`: what makes it end with exit code 3."""
    is_empty = comparison.reference is None
    word, tone = verdict(comparison, fail_on)
    return ComparisonText(
        verdict=word,
        tone=tone,
        changes=[] if is_empty else changes(comparison),
        voids=void_lines(comparison),
        doubts=doubt_lines(comparison),
        header=header(comparison),
        box=None if is_empty else box_table(comparison),
        status=target_status(comparison),
        ladder=ladder_table(comparison),
        differences=difference_lines(comparison) or ["nothing that was written down"],
        notes=notes(comparison),
    )


def header(comparison: Comparison) -> list[tuple[str, str]]:
    """What was compared: the rows over the table."""
    results = comparison.results
    return [
        ("Phase", _ARROW.join(_with_repeats(comparison))),
        ("Date", _same_or_each([_date(result) for result in results])),
        ("Hardware", _same_or_each([result.hardware for result in results])),
        ("Load", load_line(comparison)),
    ]


def _with_repeats(comparison: Comparison) -> list[str]:
    return [
        f"{name}, {len(result.paths)} repeats" if len(result.paths) > 1 else name
        for name, result in zip(comparison.names, comparison.results, strict=True)
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
    elif any(cell.is_worse for line in comparison.lines for cell in line.cells):
        word, tone = "WORSE, BUT NOT FOR CERTAIN", Tone.BAD
    elif not _has_noise(comparison):
        word, tone = "NOTHING CAN BE TOLD FROM NOISE", Tone.PLAIN
    else:
        word, tone = "NO REGRESSION", Tone.GOOD
    return f"{word} (exit code {int(code)})", tone


def _has_noise(comparison: Comparison) -> bool:
    return any(cell.noise is not None for line in comparison.lines for cell in line.cells)


def changes(comparison: Comparison) -> list[TonedCell]:
    """A sentence for each change that is told, those for the worse first; or that there is none."""
    told: list[TonedCell] = []
    for line in comparison.lines:
        for at, cell in enumerate(line.cells[1:], 1):
            if cell.word not in ("", NO_CHANGE):
                is_better = line.measure.words.better and not line.measure.is_worse(cell.change or 0.0)
                tone = Tone.BAD if cell.is_worse else Tone.GOOD if is_better else Tone.PLAIN
                told.append(TonedCell(_sentence(comparison, line, at), tone))
    if told:
        return sorted(told, key=lambda cell: (Tone.BAD, Tone.GOOD, Tone.PLAIN).index(cell.tone))
    if not _has_noise(comparison):
        return [TonedCell("Nothing says how large a change may be by chance: see the notes.")]
    return [TonedCell("No change that can be told from noise.")]


def _sentence(comparison: Comparison, line: Line, at: int) -> str:
    before, after = line.cells[0].value, line.cells[at].value
    cell, measure = line.cells[at], line.measure
    assert before is not None and after is not None and cell.change is not None
    where = f"{at_load(comparison, line.load)}: " if line.load else ""
    who = f"{comparison.names[at]}, " if len(comparison.results) > 2 else ""
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
    for at, name in enumerate(comparison.names):
        statuses = comparison.statuses(at)
        if at and statuses:
            passing = sum(status is not Status.MISS for status in statuses)
            who = f" ({name})" if len(comparison.results) > 2 else ""
            lines.append(f"Target Status: {passing}/{len(statuses)} metrics passing{who}")
    unjudged = [
        line.measure.heading for line in comparison.box if line.target and all(c.value is None for c in line.cells[1:])
    ]
    return [*lines, f"Not measured, so not judged: {', '.join(unjudged)}"] if unjudged else lines


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
    return f"{name} {_ARROW.join(shortened(value, _LONGEST_VALUE) for value in difference.values)}"


def void_lines(comparison: Comparison) -> list[str]:
    """Why the results must not be compared, a line each."""
    return [f"{_difference(difference, f'{difference.name}:')}" for difference in comparison.voids]


def doubt_lines(comparison: Comparison) -> list[str]:
    """What is not to be believed, and which stages are left out, a line each."""
    lines = []
    for name, result in zip(comparison.names, comparison.results, strict=True):
        lines += [f"{name} is not to be believed: {doubt}" for doubt in result.doubts]
        lines += [f"{name}, not compared: {line}" for line in result.left_out if line not in result.doubts]
    if comparison.reference is None:
        lines.append("no number of callers can be believed in all of them, so nothing is compared")
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
    Basis.SPREAD: "noise of means: from the standard deviations in the files. They say nothing of percentiles, RTF and "
    "memory, nor of what differs from one minute to the next, so that no change is certain. Repeats do: "
    "A1.json,A2.json,A3.json B1.json,B2.json,B3.json",
    Basis.INTERVAL: "noise of what a search found: from its intervals, in brackets",
}


def notes(comparison: Comparison) -> list[str]:
    """What a reader needs to know of the words and signs."""
    cells = [cell for line in comparison.lines for cell in line.cells[1:]]
    bases = {cell.basis for cell in cells if cell.basis}
    lines = [
        f"{name}: {note}"
        for name, result in zip(comparison.names, comparison.results, strict=True)
        for note in result.notes
    ]
    if _has_noise(comparison):
        lines.append(
            f"± is the noise: how large a change may be by chance. “{NO_CHANGE}” means none that can be told from it. "
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
    return f"{utc_minute(result.started_at)} UTC"
