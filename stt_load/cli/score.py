"""`stt-load score FILE`: what a file of transcripts got wrong of its references, without a run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table

from stt_load.errors import ConfigError
from stt_load.metrics.corpus import CorpusFigures, corpus_figures, worst_first
from stt_load.metrics.normaliser import NORMALISERS, Guess, Normaliser, guess_normaliser
from stt_load.metrics.pairs import Pair, Pairs, read_pairs
from stt_load.metrics.wer import Scores, align, score

_WIDTH = 110
_NO_WORD = "*"  # where one side has no word


@dataclass(frozen=True, slots=True)
class Scored:
    """One scored file: its pairs, their scores and their sums."""

    file: Path
    read: Pairs
    normaliser: Normaliser
    guess: Guess | None  # None where the normaliser was asked for
    scores: tuple[Scores, ...]
    figures: CorpusFigures
    worst: tuple[int, ...]  # indices of rows


@click.command("score")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--normaliser",
    "name",
    type=click.Choice(list(NORMALISERS)),
    help="What counts as a word; without it guessed from the letters of the references.",
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
    file: Path, name: str | None, ref_key: str | None, hyp_key: str | None, n_worst: int, as_json: bool
) -> None:
    """WER and CER of the transcripts in FILE against their references.

    FILE has JSON lines or is a CSV with a header: references under `ref`, transcripts under `hyp`. You can also
    give the utterances.jsonl of a run folder: it is scored over the completed utterances of the holds.
    """
    read = _read(file, ref_key, hyp_key)
    guess = None if name else guess_normaliser(pair.reference for pair in read.pairs)
    normaliser = guess.normaliser if guess else NORMALISERS[str(name)]
    scores = tuple(score(pair.reference, pair.transcript, normaliser) for pair in read.pairs)
    worst = tuple(worst_first(scores)[:n_worst])
    done = Scored(file, read, normaliser, guess, scores, corpus_figures(scores), worst)
    if as_json:
        click.echo(json.dumps(_as_data(done), ensure_ascii=False, allow_nan=False))
        return
    Console(width=_WIDTH).print(_table(done.figures, normaliser))
    for line in (*_notes(done), *_worst_cases(done)):
        click.echo(line)


def _read(file: Path, ref_key: str | None, hyp_key: str | None) -> Pairs:
    try:
        # Line ends as they are: inside a quoted cell they are text.
        with file.open(encoding="utf-8-sig", newline="") as source:
            return read_pairs(source.read(), ref_key, hyp_key)
    except IsADirectoryError:
        raise ConfigError(f"{file} is a folder: name a file; in a run folder it is utterances.jsonl") from None
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}: name a file of JSON lines or a CSV") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file} is not UTF-8: save it as such (in Excel: “CSV UTF-8”)") from None
    except ConfigError as error:
        raise ConfigError([f"{file}: {problem}" for problem in error.problems]) from None


def _table(figures: CorpusFigures, normaliser: Normaliser) -> Table:
    """The table of rates, with one row. Where a word is a character, it leaves out CER, which would repeat WER."""
    cells = {"rows": f"{figures.rows:,}"}
    cells |= {
        f"corpus {normaliser.rate}%": _pct(figures.words.rate),
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


def _notes(done: Scored) -> Iterator[str]:
    figures, read = done.figures, done.read
    reason = "as you asked" if done.guess is None else f"guessed: {done.guess.why}"
    yield ""
    yield f"normaliser {done.normaliser.name}, {reason}"
    yield f"counted after {done.normaliser.title}"
    yield f"references are `{read.keys[0]}`, transcripts `{read.keys[1]}`"
    if read.not_counted:
        yield f"{_rows(read.not_counted)} left out: no completed utterance of a hold"
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
    for index in done.worst:
        pair, scores = done.read.pairs[index], done.scores[index]
        rate = "empty reference" if scores.wer is None else f"{done.normaliser.rate} {_pct(scores.wer)} %"
        yield (
            f"\nline {pair.line}: {rate}, {scores.word_errors} wrong of {scores.reference_words} "
            f"(S {scores.substitutions}, D {scores.deletions}, I {scores.insertions})"
        )
        yield from _side_by_side(align(pair.reference, pair.transcript, done.normaliser))


def _side_by_side(pairs: Iterable[tuple[str | None, str | None]]) -> Iterator[str]:
    """The alignment in groups of three lines as wide as the terminal: reference, transcript, and S, D or I."""
    lines = ["  ref ", "  hyp ", "      "]
    heads = list(lines)
    for wanted, heard in pairs:
        mark = "" if wanted == heard else "I" if wanted is None else "D" if heard is None else "S"
        column = [_printable(wanted), _printable(heard), mark]
        width = max(map(cell_len, column))
        if lines != heads and cell_len(lines[0]) + 1 + width > _WIDTH:
            yield from (line.rstrip() for line in lines)
            lines = list(heads)
        lines = [f"{line} {word}{' ' * (width - cell_len(word))}" for line, word in zip(lines, column, strict=True)]
    yield from (line.rstrip() for line in lines)


def _printable(word: str | None) -> str:
    return _NO_WORD if word is None else "".join(sign if sign.isprintable() else "\ufffd" for sign in word)


def _as_data(done: Scored) -> dict[str, Any]:
    figures = done.figures
    return {
        "file": str(done.file),
        "keys": {"reference": done.read.keys[0], "transcript": done.read.keys[1]},
        "normaliser": {
            "name": done.normaliser.name,
            "title": done.normaliser.title,
            "guessed": done.guess.why if done.guess else None,
            "rate": done.normaliser.rate,
            "words_are": done.normaliser.unit,
        },
        "rows": figures.rows,
        "rows_not_counted": done.read.not_counted,
        "rows_without_reference": figures.rows_without_reference,
        "rows_without_transcript": figures.rows_without_transcript,
        "corpus_wer": figures.words.rate,
        "mean_wer": figures.mean_wer,
        "corpus_cer": figures.characters.rate,
        "mean_cer": figures.mean_cer,
        "substitutions": figures.substitutions,
        "deletions": figures.deletions,
        "insertions": figures.insertions,
        "reference_words": figures.words.length,
        "character_errors": figures.characters.errors,
        "reference_characters": figures.characters.length,
        "worst": [_case(done, index) for index in done.worst],
        "scores": [_counts(pair, scores) for pair, scores in zip(done.read.pairs, done.scores, strict=True)],
    }


def _case(done: Scored, index: int) -> dict[str, Any]:
    pair = done.read.pairs[index]
    alignment = list(align(pair.reference, pair.transcript, done.normaliser))
    return {**asdict(pair), "wer": done.scores[index].wer, "alignment": alignment}


def _counts(pair: Pair, scores: Scores) -> dict[str, Any]:
    return {"line": pair.line, **{key: value for key, value in asdict(scores).items() if key != "normaliser"}}


def _rows(n: int) -> str:
    return f"{n:,} row{'' if n == 1 else 's'}"


def _pct(ratio: float | None) -> str:
    return "-" if ratio is None else f"{100 * ratio:.2f}"
