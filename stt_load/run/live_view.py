"""What a person sees while the run goes on: a panel in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stt_load.kinds import LoadKind
from stt_load.process.log import log
from stt_load.records import UtteranceRecord
from stt_load.report.console import VERDICT_STYLES
from stt_load.report.model import Verdict
from stt_load.report.wording import callers
from stt_load.run.ledger import Ledger
from stt_load.run.live_stages import LiveStages
from stt_load.run.plan import Phase, Plan
from stt_load.run.stage_table import RUNNING, stage_table
from stt_load.run.stage_update import StageUpdate
from stt_load.text.printable import printable

_REFRESH_PERIOD_S = 0.5
_LINE_PERIOD_S = 5.0
_GLYPHS_AT_MOST = 90
_ROWS_AT_LEAST = 2  # of the table of stages, however low the terminal is
_OTHER_LINES = 18  # of the panel, where every one that may be long takes two


@dataclass(frozen=True, slots=True)
class CallerState:
    """How a caller's state is drawn. `name` is the one that a session reports."""

    name: str
    glyph: str
    style: str


CALLER_STATES = (
    CallerState("connecting", "◌", "yellow"),
    CallerState("speaking", "●", "green"),
    CallerState("waiting", "◐", "cyan"),
    CallerState("between utterances", "·", "dim"),
)


class LiveView:
    """Draws the state of a run. Call `refresh` often; it decides by itself when to draw."""

    def __init__(
        self,
        ledger: Ledger,
        live: LiveStages,
        kind: LoadKind,
        plan: Plan,
        ladder: Sequence[int | str],
        has_panel: bool = True,
        console: Console | None = None,
    ) -> None:
        """`ladder`: callers of each stage, or the rates of their calls; where stages are not known before, it is empty,
        and grows. `has_panel` False: lines even in a terminal, because something else writes to it."""
        self._ledger = ledger
        self._stages_so_far = live
        self._kind = kind
        self._plan = plan
        self._ladder = list(ladder)
        self._n_stages = len(ladder)  # 0: not known
        self._console = console or Console(file=sys.stdout)
        self._drawn_s = 0.0
        self._is_broken = False
        self._live: Live | None = None
        if has_panel and self._console.is_terminal:
            # Drawn by `refresh`, not by a thread of rich's own: under Locust a thread is a greenlet.
            self._live = Live(console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def announce(self, update: StageUpdate) -> None:
        """A phase begins."""
        if update.stage == len(self._ladder):
            self._ladder.append(update.name)
        self._draw(update, f"{PHASE_EXPLANATIONS[update.phase]}; ")

    def say(self, line: str) -> None:
        """Prints a line that stays."""
        self._show(lambda: self._print(line))

    def refresh(self, update: StageUpdate) -> None:
        """Draws again if it is time. `update`: the newest."""
        period_s = _LINE_PERIOD_S if self._live is None else _REFRESH_PERIOD_S
        if time.monotonic() - self._drawn_s >= period_s:
            self._draw(update)

    def _draw(self, update: StageUpdate, news: str = "") -> None:
        self._drawn_s = time.monotonic()
        live = self._live
        if live is None:
            self._show(lambda: self._print(f"{self._where(update)} {news}{self._counts(update)}"))
        else:
            self._show(lambda: live.update(self._panel(update), refresh=True))

    def _show(self, draw: Callable[[], None]) -> None:
        if self._is_broken:
            return
        try:
            draw()
        except Exception:  # what can't be shown goes on all the same
            self._is_broken = True
            log.exception("the state of the run can't be shown any more; the run goes on")

    def _print(self, line: str) -> None:
        line = f"{_clock()} {printable(line)}"
        if self._live is None:  # rich takes ten milliseconds for a line, in which audio may be due
            print(line, file=self._console.file, flush=True)
        else:
            self._console.print(line, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        if self._live is not None:
            live, self._live = self._live, None
            try:
                live.stop()
            except Exception as error:
                log.warning("the panel can't be taken away: %s", error)

    # what is drawn -------------------------------------------------------------------------------------

    def _panel(self, update: StageUpdate) -> Panel:
        table = Table.grid(padding=(0, 2))
        table.add_row("stages", self._stages(update))
        table.add_row("phase", self._phase(update))
        table.add_row("callers", self._callers(update))
        table.add_row("", Text(self._states(update)))
        table.add_row("counted", Text(self._counts(update)))
        lines = [_transcript_line(record) for record in reversed(self._ledger.last_texts)]
        table.add_row("transcripts", Group(*lines) if lines else Text("nothing yet", style="dim"))
        return Panel(Group(self._figures(), table), title="stt-load", title_align="left", border_style="blue")

    def _figures(self) -> Table:
        """The figures of the last stages, as many as there is room for."""
        figures = stage_table(self._stages_so_far, self._kind)
        table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim")
        for heading in figures.headings:
            table.add_column(heading, justify="right", no_wrap=True)
        for row in figures.rows[-max(_ROWS_AT_LEAST, self._console.height - _OTHER_LINES) :]:
            style = "bold" if row.verdict == RUNNING else VERDICT_STYLES[Verdict(row.verdict)]
            callers_, verdict, *others = map(Text, row.cells)
            verdict.stylize(style)
            table.add_row(callers_, verdict, *others)
        return table

    def _stages(self, update: StageUpdate) -> Text:
        line = Text()
        for index, name in enumerate(self._ladder):
            is_current = index == update.stage
            style = "bold reverse" if is_current else "dim" if index > update.stage else "green"
            line.append(f" {name} ", style=style).append(" ")
        return line

    def _phase(self, update: StageUpdate) -> Text:
        return Text(f"{update.phase}{self._left(update)} · {PHASE_EXPLANATIONS[update.phase]}")

    def _left(self, update: StageUpdate) -> str:
        left_s = self._plan.remaining_s(time.monotonic())
        if left_s is None:
            return ""
        if update.phase is Phase.HOLD and left_s == 0:
            return ", until enough utterances have begun"
        return f", {left_s:.0f} s left"

    def _callers(self, update: StageUpdate) -> Text:
        line = Text()
        for state, n in self._numbers(update):
            line.append(state.glyph * min(n, _GLYPHS_AT_MOST), style=state.style)
        return line

    def _states(self, update: StageUpdate) -> str:
        return " · ".join(f"{state.glyph} {n} {state.name}" for state, n in self._numbers(update))

    def _numbers(self, update: StageUpdate) -> list[tuple[CallerState, int]]:
        counts = self._ledger.caller_states()
        callers_there = update.users if update.load is None else self._ledger.on_the_line()
        counts[CALLER_STATES[-1].name] = max(0, callers_there - sum(counts.values()))
        return [(state, counts[state.name]) for state in CALLER_STATES]

    def _counts(self, update: StageUpdate) -> str:
        ledger = self._ledger
        failed = {name: n for name, n in ledger.outcomes.items() if name != "ok"}
        said = ", ".join(f"{n} {name}" for name, n in sorted(failed.items()))
        return (
            f"{ledger.ended(update.stage)} of {ledger.begun(update.stage)} counted utterances ended · "
            f"{ledger.outcomes['ok']} ok{', ' + said if said else ''} in the whole run"
        )

    def _where(self, update: StageUpdate) -> str:
        total = f"/{self._n_stages}" if self._n_stages else ""
        who = callers(update.name, self._kind)
        who += f", {self._ledger.on_the_line()} on the line" if update.load else ""
        return f"stage {update.stage + 1}{total}, {who}, {update.phase}{self._left(update)}:"


PHASE_EXPLANATIONS: dict[Phase, str] = {
    Phase.RAMP: "callers arrive",
    Phase.HOLD: "utterances that start now count",
    Phase.GRACE: "callers speak until every counted utterance has ended",
    Phase.SETTLE: "no new utterances",
    Phase.DONE: "done",
}


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _transcript_line(record: UtteranceRecord) -> Text:
    latency = "" if record.headline_s is None else f"{1_000 * record.headline_s:5.0f} ms  "
    return Text(latency, style="cyan", no_wrap=True, overflow="ellipsis").append(
        printable(record.text), style="default"
    )
