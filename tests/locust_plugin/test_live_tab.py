"""What the tab "Stages" of the web UI shows."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_run import utterance

from stt_load.capacity.arrivals import CallLoad
from stt_load.config import parse_options
from stt_load.locust_plugin.live_tab import describe
from stt_load.locust_plugin.master import Watched
from stt_load.run.live_stages import LiveStages
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate


@pytest.mark.parametrize(
    ("load", "stages", "failures"),
    [(None, "callers", "Conc"), (CallLoad("4/min", 4 / 60, 30.0, 10.0, 7, 0), "calls", "Calls")],
)
def test_its_tables_name_stages_as_the_report_does(
    tmp_path: Path, load: CallLoad | None, stages: str, failures: str
) -> None:
    live = LiveStages(tmp_path)
    live.announce(StageUpdate("run", 1, 0, Phase.HOLD, 2, ("w0",), load))
    live.add(utterance(0, 2, outcome="refused", eos_latency_s=None, frames=0, refusal="full"))
    shown = describe(Watched(parse_options({}), live, tmp_path), None, "stopped")
    assert (shown["stages"]["headings"][0], shown["failures"]["headings"][0]) == (stages, failures)
