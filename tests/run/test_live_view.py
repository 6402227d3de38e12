"""What a person sees while a run goes on, drawn from a real ledger and a real plan."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from stt_load.records import UtteranceRecord
from stt_load.run.ledger import Ledger
from stt_load.run.live_view import LiveView
from stt_load.run.plan import LadderPlan, Phase, Timing
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


def view_on(output: io.StringIO, is_terminal: bool, text: str = "good morning to you") -> LiveView:
    plan = LadderPlan((1, 5), Timing(hold_s=10, settle_s=1, ramp_rate=10, utterance_limit_s=40))
    console = Console(file=output, force_terminal=is_terminal, width=110, color_system=None)
    return LiveView(ledger_in_a_hold(text), plan, (1, 5), console=console)


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
