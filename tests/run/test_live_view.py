"""What a person sees while a run goes on, drawn from a real ledger and a real plan."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace

import pytest
from made_run import made_run
from msgspec.structs import replace
from rich.console import Console

from stt_load.kinds import STREAM
from stt_load.records import UtteranceRecord
from stt_load.report.report_files import read_report
from stt_load.run.ledger import Ledger
from stt_load.run.live_stages import LiveStages
from stt_load.run.live_view import LiveView
from stt_load.run.plan import LadderPlan, Observation, Phase, Timing
from stt_load.run.stage_update import StageUpdate
from stt_load.run.worker_report import WorkerReport

HOLD = StageUpdate("run", 1, 1, Phase.HOLD, 5, ("worker",))


def ledger_in_a_hold(text: str = "good morning to you") -> Ledger:
    """Five callers: one speaking, one waiting, one that has ended with a text, two between utterances."""
    ledger = Ledger("run", {}, lambda _: None)
    report = WorkerReport("run")
    report.apply(HOLD)
    for user, state in enumerate(("speaking", "waiting", "waiting")):
        report.begin(user, HOLD, f"clip-{user}", SimpleNamespace(state=state))  # type: ignore[arg-type]
    heard = UtteranceRecord("run", 0, 2, 1, "hold", 5, "clip-2", "good morning to you", outcome="ok")
    heard.text, heard.eos_latency_s = text, 0.345
    report.end(2, heard)
    message = report.take(12.0, 1.0)
    ledger.accept("worker", message.snapshot, 1.0, message.rows)
    return ledger


class UnreadStages(LiveStages):
    """Stages of a run that has no folder. The greenlet that would read one speaks up in whatever test comes next."""

    def _begin_to_read(self, stage: int) -> None: ...


def view_on(
    output: io.StringIO,
    is_terminal: bool,
    text: str = "good morning to you",
    ladder: tuple[int, ...] = (1, 5),
    plan: LadderPlan | None = None,
) -> LiveView:
    plan = plan or LadderPlan((1, 5), Timing(hold_s=10, settle_s=1, ramp_rate=10, utterance_limit_s=40))
    console = Console(file=output, force_terminal=is_terminal, width=110, color_system=None)
    live = UnreadStages(Path("no folder"))
    live.announce(HOLD)
    return LiveView(ledger_in_a_hold(text), live, STREAM, plan, ladder, console=console)


def test_a_pipe_gets_one_whole_line_a_change() -> None:
    output = io.StringIO()
    view = view_on(output, is_terminal=False)
    view.announce(HOLD)
    view.refresh(HOLD)  # too soon after the change: nothing new to say
    (line,) = output.getvalue().splitlines()
    assert "stage 2/2, 5 callers, hold" in line
    assert "utterances that start now count; 1 of 3 counted utterances ended · 1 ok in the whole run" in line


def test_what_cannot_be_drawn_is_told_once_and_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    view = view_on(io.StringIO(), is_terminal=False)
    view._console = None  # type: ignore[assignment] - whatever is wrong with it
    view.announce(HOLD)
    view.announce(HOLD)
    view.close()
    (told,) = caplog.messages
    assert told == "the state of the run can't be shown any more; the run goes on"


def test_a_terminal_gets_a_panel_that_says_what_each_caller_does() -> None:
    output = io.StringIO()
    view = view_on(output, is_terminal=True)
    view.announce(HOLD)
    view.close()
    seen = output.getvalue()
    assert "●◐···" in seen
    assert "◌ 0 connecting · ● 1 speaking · ◐ 1 waiting · · 3 between utterances" in seen
    assert "345 ms  good morning to you" in seen


@pytest.mark.parametrize("n_stages", [6, 40])
def test_a_panel_has_the_figures_of_the_stages_and_fits_a_small_terminal(tmp_path: Path, n_stages: int) -> None:
    ladder = tuple(range(1, n_stages + 1))
    live = LiveStages(tmp_path)
    live.ended = read_report(made_run(ladder, per_stage=6, knee_at=99, gpu=False).write(tmp_path / "run"))
    hold = replace(HOLD, stage=n_stages - 1, users=n_stages)
    live.announce(hold)
    output = io.StringIO()
    console = Console(file=output, force_terminal=True, width=80, height=24, color_system=None)
    plan = LadderPlan(ladder, Timing(hold_s=10, settle_s=1, ramp_rate=10, utterance_limit_s=40))
    view = LiveView(ledger_in_a_hold(), live, STREAM, plan, ladder, console=console)
    lines = console.render_lines(view._panel(hold))
    texts = ["".join(part.text for part in line) for line in lines]
    view.close()
    rows = [words for words in map(str.split, texts) if words[2:3] in (["pass*"], ["now"])]
    assert rows[-1][1:4] == [str(n_stages), "now", "-"]
    assert rows[-2][1:3] == [str(n_stages - 1), "pass*"]
    assert len(texts) <= 23, "a line is left for the cursor"


def test_stages_that_are_not_known_before_are_told_as_they_come() -> None:
    output = io.StringIO()
    view = view_on(output, is_terminal=False, ladder=())
    for stage, users in enumerate((2, 4)):
        view.announce(replace(HOLD, stage=stage, users=users))
    view.say("trial 2: 4 callers: fail; next 3")
    first, second, said = output.getvalue().splitlines()
    assert "stage 1, 2 callers, hold" in first and "stage 2, 4 callers, hold" in second
    assert said.endswith(" trial 2: 4 callers: fail; next 3")


def test_a_hold_that_is_over_and_goes_on_says_what_it_waits_for() -> None:
    output = io.StringIO()
    plan = LadderPlan((1,), Timing(hold_s=0, settle_s=1, ramp_rate=10, utterance_limit_s=40, at_least=9))
    plan.start(0.0)
    plan.advance(1.0, Observation(reached=1, target=1, speaking=1, in_flight=1, begun=1, ended=0, is_current=True))
    view_on(output, is_terminal=False, plan=plan).announce(HOLD)
    assert "5 callers, hold, until enough utterances have begun: " in output.getvalue()


def test_a_transcript_cannot_command_the_terminal() -> None:
    output = io.StringIO()
    view = view_on(output, is_terminal=True, text="good \x1b]0;owned\x07\x1b[2J\r\nPASS [bold]day")
    view.announce(HOLD)
    view.close()
    assert r"345 ms  good \x1b]0;owned\x07\x1b[2J\r\nPASS [bold]day" in output.getvalue()


def test_failures_are_counted_by_name() -> None:
    output = io.StringIO()
    view = view_on(output, is_terminal=False)
    view._ledger.outcomes.update({"refused": 2, "timed_out": 1})
    view.announce(HOLD)
    assert "1 ok, 2 refused, 1 timed_out" in output.getvalue()
