"""A ratio of two machines as a document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from stt_load.kinds import KINDS
from stt_load.metrics.figures import NOTHING
from stt_load.report.text_table import TextTable
from stt_load.sizing.document import Document, Section
from stt_load.sizing.identity import machine_lines
from stt_load.sizing.ratio import RatioConfig, RatioRow, SideRow
from stt_load.sizing.speed import speed_of
from stt_load.text.printable import printable


def ratio_document(config: RatioConfig, saved: str | None) -> Document:
    """Everything for people. `saved`: the file that the ratio is kept in."""
    kind = KINDS[config["kind"]]
    speed = speed_of(config)
    known = speed.low is not None and speed.high is not None
    ends = f"{speed.low:.2f} to {speed.high:.2f}" if known else "too little was measured for an interval"
    answer = f"The second machine holds {speed.factor:.2f} times as much as the first ({ends}): {speed.told}."
    sections = [
        Section(
            "At each load",
            (
                "latency: time on the second / time on the first; above 1 the second is slower",
                "in brackets: the interval, for latency at least 90 %, for requests a second (rps) 95 %",
            ),
            TextTable(
                (kind.callers, "n", "latency p50", "latency p95", *(() if kind.is_paced else ("rps",))),
                tuple(_rows(config, has_rps=not kind.is_paced)),
            ),
        ),
        Section("Over all loads", tuple(_summary(config))),
        Section("First machine (--from)", tuple(_machine(config["from"]))),
        Section("Second machine (--to)", tuple(_machine(config["to"]))),
        Section("Forced by --anyway, though the runs differ", tuple(config["differing"])),
        Section("Kept", (f"in {printable(saved)}: use it with `stt-load size RUN --ratio FILE`",) if saved else ()),
    ]
    title = f"Ratio of two machines, from runs {config['from']['run_id']} and {config['to']['run_id']}"
    return Document(title, answer, tuple(section for section in sections if section.lines))


def _rows(config: RatioConfig, has_rps: bool) -> Iterator[tuple[str, ...]]:
    for load in config["loads"]:
        rps = (_told(load["rps"]),) if has_rps else ()
        latency: Mapping[str, RatioRow] = load["latency"]
        n = f"{load['n_from']}, {load['n_to']}"
        yield (str(load["users"]), n, _told(latency.get("p50")), _told(latency.get("p95")), *rps)


def _summary(config: RatioConfig) -> Iterator[str]:
    for name, row in config["latency_ratio"].items():
        yield f"latency {name}: {_told(row)}, the geometric mean and the widest interval"
    if config["rps_ratio"]:
        yield f"requests a second: {_told(config['rps_ratio'])}, at the largest load"
    if config["holds_ratio"]:
        yield f"callers held: {_told(config['holds_ratio'])}, both ends from what held and what broke"
    else:
        yield "callers held: not known, since one of the machines was not driven to its limit or holds nobody"


def _told(row: RatioRow | None) -> str:
    """`0.52 (0.48-0.57)`; a question mark for an end that nothing bounds."""
    if row is None:
        return NOTHING
    low, high = (f"{end:.2f}" if end is not None else "?" for end in (row["low"], row["high"]))
    return f"{row['ratio']:.2f} ({low}-{high})"


def _machine(side: SideRow) -> list[str]:
    holds, breaks = side["holds"], side["breaks"]
    held = f"holds {holds or 'nobody'}" + (f", not {breaks}" if breaks else ", nothing above was tried")
    return [*machine_lines(side["machine"], side["cpu_limit_cores"]), held]
