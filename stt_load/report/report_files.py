"""The files of a run folder: raw files in, report files out.

The raw files are those of `docs/files.md`; `raw_lines.py` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import Any

from stt_load.errors import ConfigError
from stt_load.kinds import STREAM
from stt_load.process.atomic_file import write_atomically
from stt_load.records import SCHEMA_VERSION, UtteranceRecord
from stt_load.report.build import build_report
from stt_load.report.charts.png import chart_png
from stt_load.report.charts.run_charts import draw_charts
from stt_load.report.csv_file import stages_csv
from stt_load.report.damage import Damage, Flaw
from stt_load.report.html import report_html
from stt_load.report.json_file import summary_json
from stt_load.report.junit_file import junit_xml
from stt_load.report.markdown_file import report_markdown
from stt_load.report.model import RunReport
from stt_load.report.raw_files import CLIP_WORDS, RUN, SAMPLE_FILES, SERVER_LOOKS, STAGES, UTTERANCES
from stt_load.report.raw_lines import NotJson, RawLines, parse_json, read_bytes, unreadable
from stt_load.report.raw_rows import (
    Accept,
    JsonObject,
    accept_clip_words,
    accept_look,
    accept_sample,
    checked_run,
    transitions_of,
    utterances_of,
)
from stt_load.sealed_lines import is_as_written, mentions_seal
from stt_load.text.url_secrets import value_without_secrets
from stt_load.text.whole_characters import with_whole_characters

SUMMARY = "summary.json"
MARKDOWN = "report.md"

WRITERS: dict[str, Callable[[RunReport], str]] = {
    "stages.csv": stages_csv,
    "junit.xml": junit_xml,
    MARKDOWN: report_markdown,
    "report.html": lambda report: report_html(report, draw_charts(report)),
    SUMMARY: summary_json,
}
"""File name -> its whole text. Another format is another row. The summary is written last: where it is, all are."""


def read_report(folder: Path, *, is_strict: bool = False, failure: str | None = None) -> RunReport:
    """Reads the raw files of a run folder into a report. What is damaged is left out, and makes the run invalid. Raises
    ConfigError with one line where nothing can be told of a run.

    `is_strict`: every objective must be proven, also where the run did not ask for that. `failure`: why the program
    failed, where `run.json` doesn't say so.
    """
    try:
        return _read_folder(folder, is_strict, failure)
    except PermissionError as error:
        raise unreadable(Path(error.filename), error) from error


def _read_folder(folder: Path, is_strict: bool, failure: str | None) -> RunReport:
    if not folder.is_dir():
        raise ConfigError(f"{folder} is not a folder: give the run folder that `stt-load run` printed")
    damage = Damage()
    run = _read_run(folder, damage)
    n_lines: dict[str, int] = run.get("lines") or {}
    run_id = run.get("run_id")

    def lines(name: str, row: Any, accept: Accept[Any]) -> RawLines[Any]:
        return RawLines(folder / name, damage, row, accept, n_lines.get(name))

    transitions: list[JsonObject] = _all(lines(STAGES, JsonObject, transitions_of(run_id)))
    if not transitions:
        raise ConfigError(_no_stage(folder / STAGES, damage))
    run_id = run_id or transitions[0].get("run_id")
    kind = run.get("kind") or _first_kind(lines(UTTERANCES, UtteranceRecord, utterances_of(run_id, None)))
    if kind != STREAM.name:  # runs of earlier versions don't name theirs
        run["kind"] = kind
    if failure is not None:
        run["failure"] = failure
    return build_report(
        run | {"strict": True} if is_strict else run,
        transitions,
        lines(UTTERANCES, UtteranceRecord, utterances_of(run_id, kind)),
        [row for name in SAMPLE_FILES for row in _all(lines(name, JsonObject, accept_sample))],
        damage,
        _all(lines(SERVER_LOOKS, JsonObject, accept_look)),
        _all(lines(CLIP_WORDS, JsonObject, accept_clip_words)),
    )


def write_report(folder: Path, *, is_strict: bool = False) -> RunReport:
    """Writes every report file of a run folder anew; each appears whole or not at all. Raises ConfigError."""
    report = read_report(folder, is_strict=is_strict)
    for name, write in WRITERS.items():
        write_atomically(folder / name, write(report))
    return report


def write_pictures(folder: Path, report: RunReport) -> tuple[str, ...]:
    """Writes each chart of the page as a PNG file into the folder, and returns their names. Raises ConfigError."""
    pictures = {f"{chart.name}.png": chart_png(chart) for chart in draw_charts(report)}
    for name, picture in pictures.items():
        write_atomically(folder / name, picture)
    return tuple(pictures)


def write_what_fits(folder: Path, failure: str) -> RunReport:
    """Does the same for a run that has failed, in a folder that may take no more files, so that `run.json` may not say
    so. Those that can't be written are left out, and removed where they are there: they tell of another end."""
    report = read_report(folder, failure=failure)
    for name, write in WRITERS.items():
        try:
            write_atomically(folder / name, write(report))
        except ConfigError:
            with suppress(OSError):
                (folder / name).unlink(missing_ok=True)
    return report


def _read_run(folder: Path, damage: Damage) -> JsonObject:
    """run.json, without what can't be right in it. Where it can't be read: the copy of it in the report that was made
    when the run ended, else nothing."""
    try:
        text = read_bytes(folder / RUN)
        run = _json_object(text)
    except (ConfigError, NotJson) as error:
        if not (folder / STAGES).exists():
            if isinstance(error, ConfigError):  # it says so itself
                raise
            raise ConfigError(f"{folder / RUN}: {error}; is {folder} a run folder?") from error
        run = _copied_run(folder)
        instead = f"its copy in {SUMMARY} is used" if run else "what was run and its objectives are unknown"
        damage.note(RUN, Flaw.UNREADABLE, f"{error}; {instead}")
    else:
        if is_as_written(text, must_be_sealed=_has_sealed_lines(folder)):
            refuse_later_version(folder / RUN, run.get("schema_version"), SCHEMA_VERSION)
        else:
            damage.note(RUN, Flaw.CHANGED)
    run, wrong = checked_run(run)
    for objection in wrong:
        damage.note(RUN, Flaw.VALUE, objection)
    run.pop("crc32", None)  # it is that of the file
    shown: JsonObject = value_without_secrets(run)  # ours have none; this one may be somebody else's
    return shown


def _has_sealed_lines(folder: Path) -> bool:
    """Whether the version that wrote the folder seals what it writes."""
    with suppress(ConfigError):
        return mentions_seal(read_bytes(folder / STAGES))
    return False


def refuse_later_version(path: Path, version: object, newest: int) -> None:
    """Raises ConfigError where a file has a later `schema_version` than this version of the program knows, which is
    raised by changes that an older reader would misread."""
    if isinstance(version, int) and version > newest:
        raise ConfigError(
            f"{path} was written by a later version of stt-load (schema_version {version}, this one reads up to "
            f"{newest}): install that version"
        )


def _copied_run(folder: Path) -> JsonObject:
    try:
        text = read_bytes(folder / SUMMARY)
        run = _json_object(text).get("run") if is_as_written(text) else None
    except (ConfigError, NotJson):
        return {}
    return run if isinstance(run, dict) else {}


def _json_object(text: bytes) -> JsonObject:
    value = with_whole_characters(parse_json(text))
    if not isinstance(value, dict):
        raise NotJson("it is no JSON object")
    return value


def _no_stage(path: Path, damage: Damage) -> str:
    if not path.exists():
        return f"{path} is not there; is {path.parent} a run folder?"
    why = [note.partition(": ")[2] for note in damage.notes if note.startswith(f"{STAGES}:")]
    return f"{path} has no stage: {'; '.join(why) or 'the run ended before its first'}"


def _first_kind(utterances: Iterable[Sequence[UtteranceRecord]]) -> str:
    return next((record.kind for records in utterances for record in records), STREAM.name)


def _all(rows: Iterable[Sequence[JsonObject]]) -> list[JsonObject]:
    return list(chain.from_iterable(rows))
