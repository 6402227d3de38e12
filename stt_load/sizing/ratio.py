"""Two machines with the same server: how much faster one is, at the loads that both runs have, and how sure that is.

    latency    time on the second machine / time on the first, of p50 and p95 of the headline, at each shared load
    rps        completed requests a second, second / first, at the largest shared load (whole files and texts only)
    holds      callers that the second holds / the first holds, where both were driven to their limit

Intervals. Latency: from the two 95 % intervals of the percentile, ends against ends, over all loads; it holds the truth
in at least 90 %. Rate: clients that send one request after the other complete n ± cv·√n of them in a hold, with cv the
standard deviation of a request's length over its mean (Cox 1962, "Renewal Theory"); 95 %. Callers: the server holds at
least what it held and less than what it failed at, ends against ends.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from msgspec import Meta

from stt_load.errors import ConfigError
from stt_load.metrics.figures import Figure, headline_of
from stt_load.metrics.quantiles import Distribution
from stt_load.plausible import Count, objection
from stt_load.report.model import RunReport, StageReport
from stt_load.report.raw_lines import NotJson, parse_json, read_bytes
from stt_load.report.raw_rows import HostEntry
from stt_load.report.report_files import read_report
from stt_load.report.run_facts import what_was_asked
from stt_load.sidecar_rows import GpuEntry
from stt_load.sizing.identity import differences, machine_of
from stt_load.sizing.replica import Unusable, believable_stages, capacity_bounds, pooled, server_cpu
from stt_load.text.whole_characters import with_whole_characters

FILE_NAME = "ratio_config.json"
SCHEMA_VERSION = 1

_Positive = Annotated[float, Meta(ge=1e-9, le=1e9)]
_PERCENTILES = {"p50": 0.50, "p95": 0.95}
_Z95 = 1.96


class RatioRow(TypedDict):
    """A ratio, and the ends of its interval; None for an end that nothing bounds."""

    ratio: _Positive
    low: _Positive | None
    high: _Positive | None


class LoadRow(TypedDict):
    """What was measured at one load: utterances of both runs, ratios of latency by percentile, and of completed
    requests a second (None for callers who speak)."""

    users: Annotated[int, Meta(ge=1)]
    n_from: Count
    n_to: Count
    latency: dict[str, RatioRow]
    rps: RatioRow | None


class MachineRow(TypedDict):
    """What `sizing.identity.machine_of` says of the machines of a run."""

    server: list[HostEntry]
    gpus: list[GpuEntry]
    load: HostEntry


class SideRow(TypedDict):
    """One of the two runs: what of which model, on what machine, and between which numbers of callers its limit is."""

    run_id: str
    model: dict[str, Any]
    machine: dict[str, Any]  # a MachineRow
    cpu_limit_cores: float | None
    holds: int | None
    breaks: int | None


RatioConfig = TypedDict(
    "RatioConfig",
    {
        "schema_version": int,
        "kind": str,
        "from": SideRow,
        "to": SideRow,
        "loads": list[LoadRow],
        "latency_ratio": dict[str, RatioRow],
        "rps_ratio": RatioRow | None,
        "holds_ratio": RatioRow | None,
        "differing": list[str],
    },
)
"""The content of `ratio_config.json`: `docs/size.md` has its keys. `from` is a word of Python, hence not a class."""


def measure_ratio(first: Path, second: Path, *, is_forced: bool = False) -> RatioConfig:
    """Reads both run folders. Raises ConfigError for runs that can't be laid beside each other, Unusable for one that
    is not to be believed. `is_forced`: also where models, clips or settings differ."""
    one, other = read_report(first), read_report(second)
    if one.kind is not other.kind:
        raise ConfigError(
            f"--from is a run of {one.kind.name}, --to of {other.kind.name}: take runs of one kind of load"
        )
    differing = differences(what_was_asked(one.run), what_was_asked(other.run), ("--from", "--to"))
    if differing and not is_forced:
        raise ConfigError([*differing, "the runs differ in what makes a ratio of machines: see above, or add --anyway"])
    loads = _shared_loads(one, other)
    if not loads:
        users = [sorted({stage.users for stage in believable_stages(report)}) for report in (one, other)]
        if not all(users):
            raise Unusable("one of the runs has no stage that can be believed: a ratio needs both")
        lists = " and ".join(", ".join(map(str, numbers)) for numbers in users)
        raise ConfigError(f"no number of callers is in both runs ({lists}): run both with the same --concurrency")
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": one.kind.name,
        "from": _side(one),
        "to": _side(other),
        "loads": loads,
        "latency_ratio": _over_loads(loads),
        "rps_ratio": loads[-1]["rps"],
        "holds_ratio": _holds_ratio(one, other),
        "differing": differing,
    }


def read_ratio(path: Path) -> RatioConfig:
    """Raises ConfigError with one line for a file that isn't one of ours."""
    try:
        content = with_whole_characters(parse_json(read_bytes(path)))
    except ConfigError as error:
        raise ConfigError(f"--ratio: {error}") from error
    except NotJson as error:
        raise ConfigError(f"--ratio: {path} is no JSON: give the file that `stt-load ratio --save` wrote") from error
    why = objection(content, RatioConfig)
    why = why or objection([content[side]["machine"] for side in ("from", "to")], list[MachineRow])
    if not why and content["schema_version"] != SCHEMA_VERSION:
        why = f"its schema_version is {content['schema_version']}, this version reads {SCHEMA_VERSION}"
    if not why and not content["loads"]:
        why = "it has no loads"
    if why:
        raise ConfigError(f"--ratio: {path}: {why}; give the file that `stt-load ratio --save` wrote")
    config: RatioConfig = content
    return config


def _shared_loads(one: RunReport, other: RunReport) -> list[LoadRow]:
    """A row for each number of callers that both have, ascending; stages with the same number are one."""
    firsts, seconds = _by_users(one), _by_users(other)
    return [
        _load_row(users, firsts[users], seconds[users], headline_of(one.kind))
        for users in sorted(firsts.keys() & seconds.keys())
    ]


def _by_users(report: RunReport) -> dict[int, list[StageReport]]:
    groups: dict[int, list[StageReport]] = {}
    for stage in believable_stages(report):
        groups.setdefault(stage.users, []).append(stage)
    return groups


def _load_row(users: int, first: Sequence[StageReport], second: Sequence[StageReport], headline: Figure) -> LoadRow:
    before, after = (pooled(stages, headline) for stages in (first, second))
    latency = {name: _quotient(after, before, p) for name, p in _PERCENTILES.items()}
    return LoadRow(
        users=users,
        n_from=before.n,
        n_to=after.n,
        latency={name: row for name, row in latency.items() if row is not None},
        rps=_rps_ratio(first, second),
    )


def _quotient(after: Distribution, before: Distribution, p: float) -> RatioRow | None:
    top, bottom = after.at(p), before.at(p)
    if not top or not bottom or math.isinf(top) or math.isinf(bottom) or min(top, bottom) <= 0:
        return None
    (after_low, after_high), (before_low, before_high) = after.ci95(p), before.ci95(p)
    return RatioRow(ratio=top / bottom, low=_divided(after_low, before_high), high=_divided(after_high, before_low))


def _divided(top: float | None, bottom: float | None) -> float | None:
    """None for an end of an interval that nothing bounds."""
    if top is None or bottom is None or top <= 0 or bottom <= 0 or math.isinf(top) or math.isinf(bottom):
        return None
    return top / bottom


def _rps_ratio(first: Sequence[StageReport], second: Sequence[StageReport]) -> RatioRow | None:
    rates = [[stage.requests_per_s for stage in stages] for stages in (first, second)]
    if any(stage.requests_per_s is None for stage in (*first, *second)):
        return None
    before, after = (math.fsum(rate for rate in each if rate) / len(each) for each in rates)
    ratio = after / before
    variances = [_relative_variance(stages) for stages in (first, second)]
    if None in variances:
        return RatioRow(ratio=ratio, low=None, high=None)
    spread = math.exp(_Z95 * math.sqrt(math.fsum(variance for variance in variances if variance)))
    return RatioRow(ratio=ratio, low=ratio / spread, high=ratio * spread)


def _relative_variance(stages: Sequence[StageReport]) -> float | None:
    """The variance of the number of completed requests over its square: cv² / n. None for fewer than two."""
    lengths = [value for stage in stages for value in stage.figures.distributions["total"].values]
    mean = math.fsum(lengths) / len(lengths) if lengths else 0.0
    return statistics.variance(lengths) / mean**2 / len(lengths) if len(lengths) > 1 and mean else None


def _over_loads(loads: Sequence[LoadRow]) -> dict[str, RatioRow]:
    """The geometric mean over the loads, and the widest interval of them, by percentile."""
    found = {}
    for name in _PERCENTILES:
        rows = [load["latency"][name] for load in loads if name in load["latency"]]
        if rows:
            lows, highs = [row["low"] for row in rows], [row["high"] for row in rows]
            found[name] = RatioRow(
                ratio=math.exp(math.fsum(math.log(row["ratio"]) for row in rows) / len(rows)),
                low=_extreme(min, lows),
                high=_extreme(max, highs),
            )
    return found


def _extreme(pick: Callable[[list[float]], float], ends: Sequence[float | None]) -> float | None:
    known = [end for end in ends if end is not None]
    return pick(known) if len(known) == len(ends) else None


def _holds_ratio(one: RunReport, other: RunReport) -> RatioRow | None:
    """Callers held; None where one of them held nobody, or was not driven to its limit."""
    (first_low, first_high), (second_low, second_high) = capacity_bounds(one), capacity_bounds(other)
    if not first_low or not second_low or first_high is None or second_high is None:
        return None
    return RatioRow(ratio=second_low / first_low, low=second_low / first_high, high=second_high / first_low)


def _side(report: RunReport) -> SideRow:
    limits = [cpu.limit_cores for stage in report.stages if (cpu := server_cpu(stage)) and cpu.limit_cores]
    low, high = capacity_bounds(report)
    return {
        "run_id": str(report.run.get("run_id")),
        "model": what_was_asked(report.run),
        "machine": machine_of(report.run),
        "cpu_limit_cores": max(limits, default=None),
        "holds": low or None,
        "breaks": high,
    }
