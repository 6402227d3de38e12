"""The dashboard and the alerts against what is served: promtool evaluates every query on its names and labels."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from live_figures import live_figures
from prometheus_client.parser import text_string_to_metric_families
from test_gpu_prometheus import newest, text_of

from gpu_sidecar.metrics import GPU, HOST, METRICS, PROCESS
from gpu_sidecar.sample import Sample
from stt_load.telemetry.exposition import answer

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
DASHBOARD = json.loads((GRAFANA / "dashboard.json").read_text(encoding="utf-8"))
_VARIABLES = {"$instance": ".*", "$sidecar": ".*", "$__rate_interval": "1m", "$__interval": "1m"}


def queries() -> Iterator[tuple[str, str]]:
    """Every query of the dashboard, with the name of the panel."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], annotation["expr"]


def with_variables(query: str) -> str:
    for name, value in _VARIABLES.items():
        query = query.replace(name, value)
    assert "$" not in query
    return query


def served() -> list[str]:
    """Everything that a run and a sidecar serve, as series of promtool; each grows."""
    values = {metric.field: 12.5 for metric in METRICS}
    devices = (Sample(kind, values, 0 if kind == GPU else None) for kind in (GPU, HOST, PROCESS))
    texts = (answer(live_figures(), "")[0].decode(), text_of(*map(newest, devices)))
    return [
        f"{sample.name}{{{','.join(f'{k}={json.dumps(v)}' for k, v in {**sample.labels, 'instance': 'a'}.items())}}}"
        for text in texts
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]


def promtool(folder: Path, *words: str) -> str:
    done = subprocess.run(["promtool", *words], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_query_of_the_dashboard_finds_what_is_served(tmp_path: Path) -> None:
    """`count` of a query that finds no series is no sample at all: a name or a label that doesn't exist fails here."""
    test = {
        "evaluation_interval": "15s",
        "tests": [
            {
                "interval": "15s",
                "input_series": [{"series": series, "values": "1+1x20"} for series in served()],
                "promql_expr_test": [
                    {
                        "expr": f"count({with_variables(query)}) > bool 0",
                        "eval_time": "4m",
                        "exp_samples": [{"labels": "{}", "value": 1}],
                    }
                    for _, query in queries()
                ],
            }
        ],
    }
    (tmp_path / "test.json").write_text(json.dumps(test), encoding="utf-8")  # YAML reads JSON
    promtool(tmp_path, "test", "rules", "test.json")


def test_alerts_fire_when_they_should_and_not_before() -> None:
    assert "3 rules found" in promtool(GRAFANA, "check", "rules", "alerts.yml")
    promtool(GRAFANA, "test", "rules", "alerts.test.yml")


def test_alerts_and_variables_name_what_is_served() -> None:
    names = {series.partition("{")[0].removesuffix("_count") for series in served()}  # a native histogram has no suffix
    variables = [variable["query"] for variable in DASHBOARD["templating"]["list"] if variable["type"] == "query"]
    asked = re.findall(r"\b(?:stt_load|gpu_sidecar)_\w+", (GRAFANA / "alerts.yml").read_text() + str(variables))
    assert asked
    assert set(asked) <= names


def test_panels_do_not_lie_on_each_other() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(places)
