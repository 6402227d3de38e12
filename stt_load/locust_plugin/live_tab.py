"""The tab "Stages" of Locust's web UI. It shows the page /stt-load/, which can be opened by itself too.

A tab that Locust makes for others holds one table and nothing else: no sentence and no link. So its content is a page
of our own in a frame, which `web_page/locust.js` puts there. That script also adds to the form what Locust has no words
for.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, make_response, request, send_file, send_from_directory

from stt_load.locust_plugin.master import Watched
from stt_load.report.capacity_wording import headline
from stt_load.report.course import way_up
from stt_load.report.failure_table import FAILURES_TITLE, failure_headings, failure_rows_of, stage_failures
from stt_load.report.knee import find_knee
from stt_load.report.wording import callers
from stt_load.run.live_view import PHASE_EXPLANATIONS
from stt_load.run.run import Run
from stt_load.run.stage_table import stage_table
from stt_load.text.printable import printable
from stt_load.text.url_secrets import without_credentials

KEY = "stages"
_PAGE = Path(__file__).parent / "web_page"
_REPORT = "report.html"
_LOOK_PERIOD_S = 1.0  # how often the figures are computed anew, however many look at the page
# The report shows what servers said. In a browser it is of no origin: whatever is in it can't use the web UI.
_REPORT_POLICY = (
    "sandbox allow-scripts allow-popups; default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'"
)
_SCRIPT = b'<script src="./stt-load/locust.js"></script></body>'


def install_tab(environment: Any) -> None:
    """Called once, before the web UI starts to listen."""
    web_ui, options = environment.web_ui, environment.parsed_options
    app: Flask = web_ui.app
    add = web_ui.template_args.setdefault
    add("extended_tabs", []).append({"title": "Stages", "key": KEY})
    add("extended_csv_files", []).append({"title": "Report of the stages", "href": f"./stt-load/{_REPORT}"})
    add("stages_tab", KEY)
    pages = Blueprint("stt_load", __name__, url_prefix=f"{(options.web_base_path or '').rstrip('/')}/stt-load")

    def page(path: str) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
        return lambda view: pages.route(path)(web_ui.auth_required_if_enabled(view))

    @page("/")
    def stages() -> Response:
        return send_from_directory(_PAGE, "stages.html", max_age=0)

    @page("/locust.js")
    def script() -> Response:
        return send_from_directory(_PAGE, "locust.js", max_age=0)

    told: tuple[float, dict[str, Any]] = (-math.inf, {})

    @page("/live.json")
    def live() -> Response:
        nonlocal told
        role, now_s = environment.stt_role, time.monotonic()
        if now_s - told[0] >= _LOOK_PERIOD_S:
            refused = [printable(line) for line in role.why_refused]
            told = now_s, {**describe(role.latest, role.run, environment.runner.state), "refused": refused}
        return jsonify(told[1])

    @page(f"/{_REPORT}")
    def report() -> Response:
        watched = environment.stt_role.latest
        file = watched.folder / _REPORT if watched is not None else None
        if file is None or not file.is_file():
            return make_response("there is no report yet: it is made when the run has ended\n", 404)
        answer = send_file(file.absolute(), max_age=0)
        answer.headers["Content-Security-Policy"] = _REPORT_POLICY
        return answer

    app.register_blueprint(pages)

    @app.after_request
    def add_script(response: Response) -> Response:
        if request.endpoint == "locust.index" and response.mimetype == "text/html":
            response.set_data(response.get_data().replace(b"</body>", _SCRIPT))
        return response


def describe(watched: Watched | None, run: Run | None, state: str) -> dict[str, Any]:
    """What the page shows of `watched`, as plain values. `run`: the run that is on. `state`: Locust's word for it."""
    if watched is None:
        return {"state": state, "is_over": True, "answer": "No run has begun.", "stages": None}
    config, live, folder = watched
    kind, is_over, stages = config.kind, run is None, live.judged_stages
    report = live.ended
    if report is not None and not is_over:
        report = replace(report, stages=stages, knee=find_knee(way_up(report.run, stages)))
    table = stage_table(live, kind, is_over)
    now = live.current
    failures = stage_failures(report.stages if report else ())
    if not is_over and live.judged(now.stage) is None:
        failures.append((now.name, now.ended, now.failures))
    return {
        "state": state,
        "is_over": is_over,
        "what": " · ".join([config.label, config.dialect, without_credentials(config.stt_url) or ""]),
        "now": _where(run) if run is not None else None,
        "answer": headline(report) if report and stages else "no stage has ended yet",
        "verdict": str(report.verdict) if report and is_over else None,
        "stages": {
            "headings": table.headings,
            "rows": [{"verdict": row.verdict, "cells": [printable(cell) for cell in row.cells]} for row in table.rows],
        },
        "failures": {
            "title": FAILURES_TITLE,
            "headings": failure_headings(now.rate is not None),
            "rows": [{"verdict": "", "cells": [printable(cell) for cell in row]} for row in failure_rows_of(failures)],
        },
        "folder": printable(folder.name),
        "has_report": (folder / _REPORT).is_file(),
    }


def _where(run: Run) -> str:
    """Where the run is, as one line."""
    update, plan = run.controller.update, run.controller.plan
    left_s = plan.remaining_s(time.monotonic())
    of = f" of {len(run.ladder)}" if run.ladder else ""
    left = "" if left_s is None else f", {left_s:.0f} s left"
    who = callers(update.name, run.config.kind)
    who += f" · {run.ledger.on_the_line()} on the line" if update.load else ""
    return f"stage {update.stage + 1}{of} · {who} · {update.phase}{left}: {PHASE_EXPLANATIONS[update.phase]}"
