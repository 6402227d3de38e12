"""The looks of `server.jsonl` by hold, and the figures that are made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from operator import itemgetter
from typing import Any

from stt_load.report.coverage import Span
from stt_load.server_metrics.choice import ServerMetric, parse_server_metric
from stt_load.server_metrics.figures import ServerFigure, server_figures
from stt_load.server_metrics.known import every_known


def figures_of_hold(
    run: Mapping[str, Any], looks: Sequence[Mapping[str, Any]], span: Span | None
) -> tuple[ServerFigure, ...]:
    """What the server said of itself in one hold; nothing where that has no end. `looks`: the lines of server.jsonl."""
    if span is None:
        return ()
    began, ended = span
    of_hold = sorted(((look["t"], look["values"]) for look in looks if began <= look["t"] < ended), key=itemgetter(0))
    return server_figures(_metrics(run), of_hold)


def looks_notes(run: Mapping[str, Any]) -> list[str]:
    """One line where some looks at the server failed, or it had nothing that is kept."""
    entry = run.get("server_metrics") or {}
    failed, looks = entry.get("failed") or 0, entry.get("looks") or 0
    if failed:
        why = f": {entry['why']}" if entry.get("why") else ""
        return [f"{failed} of {failed + looks} looks at the server's own metrics failed{why}"]
    if looks and not entry.get("metrics"):
        return ["the server has no metric that is known: name those to keep with --server-metric"]
    return []


def _metrics(run: Mapping[str, Any]) -> tuple[ServerMetric, ...]:
    """The metrics that the run kept, as run.json names them; those that are known where it doesn't."""
    metrics = []
    for text in (run.get("server_metrics") or {}).get("metrics", ()):
        with suppress(ValueError):  # of a later version
            metrics.append(parse_server_metric(text))
    return tuple(metrics) or every_known()
