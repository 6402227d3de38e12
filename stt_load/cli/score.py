"""`stt-load score FILE`: what a file of transcripts got wrong of its references, without a run."""

from __future__ import annotations

import io
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO, TextIO, cast

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from stt_load.cli.run import with_options
from stt_load.errors import ConfigError, WriteError
from stt_load.metrics.bootstrap import MIN_CLUSTERS
from stt_load.metrics.corpus import Corpus, CorpusFigures
from stt_load.metrics.language_guess import LanguageChoice, choose_language
from stt_load.metrics.languages import parse_language
from stt_load.metrics.model_tags import has_model_tags
from stt_load.metrics.normaliser import NORMALISERS, Normaliser
from stt_load.metrics.pairs import Pair, PairFile
from stt_load.metrics.wer import Scores, align, score
from stt_load.process.standard_streams import require_output
from stt_load.report.part_stream import open_parts
from stt_load.report.raw_files import missing_parts
from stt_load.text.printable import printable

_WIDTH = 110
_NO_WORD = "*"  # where one side has no word
_MAX_GROUPS = 40  # three lines each, of one row
_WORD_CHARS = 80


@dataclass(frozen=True, slots=True)
class Scored:
    """One scored file, and its sums. `choice`: None where a normaliser was asked for by name."""

    file: Path
    pairs: PairFile
    normaliser: Normaliser
    choice: LanguageChoice | None
    corpus: Corpus
    figures: CorpusFigures
    tagged: int  # transcripts with tags of the model in them


@click.command("score")
@click.argument("file", type=click.Path(path_type=Path))
@with_options(("language",))
@click.option(
    "--normaliser",
    "name",
    type=click.Choice(list(NORMALISERS)),
    help="What counts as a word, instead of what --language says.",
)
@click.option("--ref-key", metavar="KEY", help="Key or column of the references; without it ref or reference.")
@click.option("--hyp-key", metavar="KEY", help="Key or column of the transcripts; without it hyp, hypothesis or text.")
@click.option(
    "--worst",
    "n_worst",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="How many of the worst rows to show.",
)
@click.option("--json", "as_json", is_flag=True, help="Everything as JSON, with the counts of every row.")
def command(
    file: Path,
    language: str | None,
    name: str | None,
    ref_key: str | None,
    hyp_key: str | None,
    n_worst: int,
    as_json: bool,
) -> None:
    """WER and CER of the transcripts in FILE against their references.

    FILE has JSON lines, or is a CSV or a tab-separated file with a header: references under `ref`, transcripts under
    `hyp`. You can also give the utterances.jsonl of a run folder: it is scored over the completed utterances of the
    holds.
    """
    code = _code(language, name)
    with _opened(file) as source:
        pairs = PairFile(source, ref_key, hyp_key)
        choice = None if name else choose_language(code, pairs.references)
        normaliser = NORMALISERS[str(name)] if choice is None else choice.normaliser
        corpus = Corpus(n_worst)
        tagged = 0
        for pair in pairs:
            corpus.add(pair, score(pair.reference, pair.transcript, normaliser))
            tagged += has_model_tags(pair.transcript)
    done = Scored(file, pairs, normaliser, choice, corpus, corpus.close(), tagged)
    if as_json:
        _print_json(done)
    else:
        Console(width=_WIDTH).print(_table(done.figures, normaliser))
        for line in (*_notes(done), *_worst_cases(done)):
            click.echo(line)
    if missing := missing_parts(file):
        more = f", and {len(missing) - 1:,} more" if len(missing) > 1 else ""
        click.echo(f"{missing[0]} is missing{more}: these rows are not scored", err=True)
    require_output()


def _code(language: str | None, normaliser: str | None) -> str | None:
    if language and normaliser:
        raise ConfigError("--language and --normaliser both say what counts as a word: give one of them")
    try:
        return parse_language(language) if language else None
    except ValueError as error:
        raise ConfigError(f"--language: {error}") from None


@contextmanager
def _opened(file: Path) -> Iterator[TextIO]:
    """The lines of the file and of the parts that it goes on in, from the start as often as is wanted. Raises
    ConfigError, which names the file."""
    try:
        with open_parts(file) as binary, ExitStack() as stack:
            source = binary if binary.seekable() else stack.enter_context(_copy_of_pipe(binary))
            yield io.TextIOWrapper(source, encoding="utf-8-sig", newline="\n")
    except IsADirectoryError:
        raise ConfigError(f"{file} is a folder: name a file; in a run folder it is utterances.jsonl") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}: name a file of JSON lines or a CSV") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8: save it as such (in Excel: “CSV UTF-8”)") from None
    except ConfigError as error:
        raise type(error)([f"{file}: {problem}" for problem in error.problems]) from None


def _copy_of_pipe(pipe: BinaryIO) -> BinaryIO:
    """What comes through the pipe, in a file without a name. Raises WriteError where there is no room for that."""
    folder = tempfile.gettempdir()
    try:
        with ExitStack() as stack:
            copy = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - the caller closes it
            stack.callback(copy.close)  # at once where it is not whole: a later close would fail again
            shutil.copyfileobj(pipe, copy)
            copy.seek(0)
            stack.pop_all()
    except OSError as error:
        raise WriteError(f"no room for a copy in {folder}: {error.strerror}; name another in TMPDIR") from None
    return cast("BinaryIO", copy)


def _table(figures: CorpusFigures, normaliser: Normaliser) -> Table:
    """The table of rates, with one row. Where a word is a character, it leaves out CER, which would repeat WER."""
    cells = {"rows": f"{figures.rows:,}"}
    cells |= {
        f"corpus {normaliser.rate}%": _pct(figures.words.rate),
        "95 % interval": _interval(figures),
        f"mean {normaliser.rate}%": _pct(figures.mean_wer),
    }
    if normaliser.rate != "CER":
        cells |= {"corpus CER%": _pct(figures.characters.rate), "mean CER%": _pct(figures.mean_cer)}
    cells |= {
        "S": f"{figures.substitutions:,}",
        "D": f"{figures.deletions:,}",
        "I": f"{figures.insertions:,}",
        f"of {normaliser.unit}": f"{figures.words.length:,}",
    }
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in cells:
        table.add_column(heading, justify="right")
    table.add_row(*cells.values())
    return table


def _interval(figures: CorpusFigures) -> str:
    lower, upper = figures.interval
    return "-" if lower is None or upper is None else f"{_pct(lower)}–{_pct(upper)}"


def _notes(done: Scored) -> Iterator[str]:
    figures, pairs = done.figures, done.pairs
    yield ""
    if done.choice is not None:
        yield f"scored as {done.choice.told}"
    yield f"normaliser {done.normaliser.name}{', as you asked' if done.choice is None else ''}"
    yield f"counted after {done.normaliser.title}"
    yield f"references are `{pairs.keys[0]}`, transcripts `{pairs.keys[1]}`"
    if _interval(figures) == "-":
        yield f"no interval: it needs {MIN_CLUSTERS} different references, and there are {figures.references}"
    else:
        yield f"the interval is a bootstrap over the {figures.references:,} different references"
    if done.tagged:
        yield f"{_rows(done.tagged)} with tags of the model in the transcript, like <|en|>: taken out before scoring"
    if pairs.not_counted:
        yield f"{_rows(pairs.not_counted)} left out: no completed utterance of a hold"
    if figures.rows_without_reference:
        yield (
            f"{_rows(figures.rows_without_reference)} without a word in the reference: "
            f"words in the transcript count as insertions there, and the means leave these rows out"
        )
    if figures.rows_without_transcript:
        yield f"{_rows(figures.rows_without_transcript)} without a word in the transcript"


def _worst_cases(done: Scored) -> Iterator[str]:
    if not done.figures.words.errors:
        yield "\nno errors"
    for pair, scores in done.corpus.worst:
        rate = "empty reference" if scores.wer is None else f"{done.normaliser.rate} {_pct(scores.wer)} %"
        yield (
            f"\nline {pair.line}: {rate}, {scores.word_errors} wrong of {scores.reference_words} "
            f"(S {scores.substitutions}, D {scores.deletions}, I {scores.insertions})"
        )
        yield from _side_by_side(align(pair.reference, pair.transcript, done.normaliser), done.normaliser.unit)


def _side_by_side(pairs: Iterable[tuple[str | None, str | None]], unit: str) -> Iterator[str]:
    """The alignment in groups of three lines as wide as the terminal: reference, transcript, and S, D or I. Of an
    alignment of more than `_MAX_GROUPS` those with errors, no more than that many, and how much that leaves out."""
    groups = list(_groups(pairs))
    shown = groups
    if len(groups) > _MAX_GROUPS:
        shown = [group for group in groups if group.errors][:_MAX_GROUPS]
    for group in shown:
        yield from group.lines
    n = sum(group.columns for group in groups) - sum(group.columns for group in shown)
    errors = sum(group.errors for group in groups) - sum(group.errors for group in shown)
    if n:
        yield f"  not shown: {n:,} more {unit}, {errors:,} of them wrong (--json has every one)"


@dataclass(frozen=True, slots=True)
class _Group:
    """The columns of an alignment that fit beside each other, as three lines."""

    lines: tuple[str, ...]
    columns: int
    errors: int


def _groups(pairs: Iterable[tuple[str | None, str | None]]) -> Iterator[_Group]:
    heads = ["  ref ", "  hyp ", "      "]
    lines, columns, errors = heads, 0, 0
    for wanted, heard in pairs:
        mark = "" if wanted == heard else "I" if wanted is None else "D" if heard is None else "S"
        column = [_shown(wanted), _shown(heard), mark]
        width = max(map(cell_len, column))
        if columns and cell_len(lines[0]) + 1 + width > _WIDTH:
            yield _Group(tuple(line.rstrip() for line in lines), columns, errors)
            lines, columns, errors = heads, 0, 0
        lines = [f"{line} {word}{' ' * (width - cell_len(word))}" for line, word in zip(lines, column, strict=True)]
        columns += 1
        errors += bool(mark)
    yield _Group(tuple(line.rstrip() for line in lines), columns, errors)


def _shown(word: str | None) -> str:
    if word is None:
        return _NO_WORD
    shown = word if len(word) <= _WORD_CHARS else f"{word[: _WORD_CHARS - 1]}…"
    return printable(shown)


def _print_json(done: Scored) -> None:
    """One object on one line. The rows are written one by one: a million of them take no room."""
    head = json.dumps(_as_data(done), ensure_ascii=False, allow_nan=False).removesuffix("}")
    click.echo(f'{head}, "scores": [', nl=False)
    for n, row in enumerate(done.corpus.rows()):
        click.echo(f"{', ' if n else ''}{json.dumps(row)}", nl=False)
    click.echo("]}")


def _as_data(done: Scored) -> dict[str, Any]:
    """Everything but the rows."""
    figures = done.figures
    return {
        "file": str(done.file),
        "keys": {"reference": done.pairs.keys[0], "transcript": done.pairs.keys[1]},
        "language": done.choice.as_data() if done.choice else None,
        "normaliser": {
            "name": done.normaliser.name,
            "title": done.normaliser.title,
            "rate": done.normaliser.rate,
            "words_are": done.normaliser.unit,
        },
        "rows": figures.rows,
        "rows_not_counted": done.pairs.not_counted,
        "rows_without_reference": figures.rows_without_reference,
        "rows_without_transcript": figures.rows_without_transcript,
        "rows_with_model_tags": done.tagged,
        "references": figures.references,
        "corpus_wer": figures.words.rate,
        "corpus_wer_interval": list(figures.interval),
        "mean_wer": figures.mean_wer,
        "corpus_cer": figures.characters.rate,
        "mean_cer": figures.mean_cer,
        "substitutions": figures.substitutions,
        "deletions": figures.deletions,
        "insertions": figures.insertions,
        "reference_words": figures.words.length,
        "character_errors": figures.characters.errors,
        "reference_characters": figures.characters.length,
        "worst": [_case(done, pair, scores) for pair, scores in done.corpus.worst],
    }


def _case(done: Scored, pair: Pair, scores: Scores) -> dict[str, Any]:
    alignment = list(align(pair.reference, pair.transcript, done.normaliser))
    return {**asdict(pair), "wer": scores.wer, "alignment": alignment}


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _pct(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.2f}"
