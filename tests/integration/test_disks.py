"""Real disks that fill or break under a run: what was measured is whole, here or elsewhere, and nothing goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from runs import (
    EASY_SLOS,
    LOCUST,
    Run,
    StartSink,
    assert_ends_with,
    phases,
    rows,
    run_folder,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
)
from small_disk import break_disk, disk_that_breaks, fill, make_room, small_disk

pytestmark = pytest.mark.locust

HURRIED = Path(__file__).with_name("hurried_ladder.py")  # a disk may be full for 3 s


@dataclass
class OnDisk:
    """A run with a disk of its own, and the folder to which results are rescued."""

    disk: Path
    rescued: Path
    run: Run

    @property
    def results(self) -> Path:
        return self.disk / "results"

    def wait_for_phase(self, stage: int, phase: str) -> None:
        wait_for(lambda: (stage, phase) in phases(self.results), f"{phase} of stage {stage}", self.run)


@pytest.fixture
def start_on(start_sink: StartSink, tmp_path: Path) -> Iterator[Callable[..., OnDisk]]:
    """Starts runs of two short stages that write to disks of their own, all on one recogniser."""
    url = start_sink().url
    with ExitStack() as stack:

        def start(name: str, *more: str, breaks: bool = False) -> OnDisk:
            disk = stack.enter_context((disk_that_breaks if breaks else small_disk)(tmp_path / name))
            line = [*LOCUST, "-f", str(HURRIED), "--headless", "--only-summary", "--stt-url", url, *EASY_SLOS, *more]
            line += ["--concurrency", "1,2", "--hold", "1s", "--settle", "2s", "--results", str(disk / "results")]
            run = stack.enter_context(Run(line, tmp_path, {"STT_LOAD_DATA": str(tmp_path / f"{name}-data")}))
            return OnDisk(disk, tmp_path / f"{name}-data" / "results", run)

        yield start


def assert_everything_is_elsewhere(on: OnDisk, why: str) -> None:
    """The run has failed because of its disk, and lost nothing by it."""
    assert on.run.wait() == 1, on.run.output
    on.run.wait_until_nothing_is_left()
    assert f"{why}; everything measured is in {on.rescued}" in on.run.output
    assert "Traceback" not in on.run.output
    done = rows(run_folder(on.rescued) / "stages.jsonl")[-1]
    utterances = rows(run_folder(on.rescued) / "utterances.jsonl")
    assert done["phase"] == "done"
    assert done["delivery"]["rows"] == sum(done["delivery"]["totals"].values()) == len(utterances)
    found = summary(on.rescued)
    assert (found["verdict"], found["exit_code"]) == ("error", 1)
    assert not any(" line" in note for note in found["notes"]), "damage"


def test_a_disk_that_stays_full_from_any_phase_on_costs_no_row(start_on: Callable[..., OnDisk]) -> None:
    """Each waits a while for room: meanwhile the next one starts."""
    full = []
    for stage, phase, *more in [(0, "ramp"), (0, "hold", *two_processes()), (0, "settle"), (1, "settle")]:
        on = start_on(f"{phase}-{stage}", *more)
        on.wait_for_phase(stage, phase)
        fill(on.disk)  # in the settle of the last stage: before the report is made
        on.run.note_family()
        full.append(on)
    for on in full:
        assert_everything_is_elsewhere(on, "No space left on device")


def test_a_disk_that_has_room_again_in_time_costs_nothing(start_on: Callable[..., OnDisk]) -> None:
    on = start_on("again")
    wait_for_hold(on.results, 0, on.run)
    fill(on.disk)
    wait_for(lambda: "lines wait in memory" in on.run.output, "a line that finds no room", on.run)
    make_room(on.disk)
    assert_ends_with(0, on.run, on.results)
    done = rows(run_folder(on.results) / "stages.jsonl")[-1]
    assert done["delivery"]["rows"] == len(rows(run_folder(on.results) / "utterances.jsonl"))
    (note,) = [note for note in summary(on.results)["notes"] if "took no lines" in note]
    assert note.endswith("they waited in memory, and none got lost")


def test_a_file_system_that_becomes_read_only_ends_the_run_with_every_row_elsewhere(
    start_on: Callable[..., OnDisk],
) -> None:
    on = start_on("broken", *two_processes(), breaks=True)
    wait_for_hold(on.results, 0, on.run)
    on.run.note_family()
    break_disk(on.disk)
    assert_everything_is_elsewhere(on, "Read-only file system")
