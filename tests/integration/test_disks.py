"""Real disks that fill or break under a run: what was measured is whole, here or elsewhere, and nothing goes on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
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
    side_by_side,
    summary,
    two_processes,
    wait_for,
    wait_for_hold,
)
from small_disk import break_disk, disk_that_breaks, fill, make_room, small_disk, why_no_disks

pytestmark = pytest.mark.locust

HURRIED = Path(__file__).with_name("hurried_ladder.py")  # a disk may be full for 5 s


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


@contextmanager
def on_disk(url: str, disk: Path, *more: str) -> Iterator[OnDisk]:
    """A run of short stages that writes to this disk. What is rescued goes to a folder beside the disk."""
    data = disk.with_name(f"{disk.name}-data")
    line = [*LOCUST, "-f", str(HURRIED), "--headless", "--only-summary", "--stt-url", url, *EASY_SLOS, *more]
    line += ["--hold", "1s", "--settle", "4s", "--results", str(disk / "results")]
    with Run(line, disk.parent, {"STT_LOAD_DATA": str(data)}) as run:
        yield OnDisk(disk, data / "results", run)


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


def full_from(url: str, disk: Path, stage: int, phase: str, *more: str) -> None:
    with small_disk(disk), on_disk(url, disk, *more) as on:
        on.wait_for_phase(stage, phase)
        fill(disk)
        on.run.note_family()
        assert_everything_is_elsewhere(on, "No space left on device")


def full_for_a_while(url: str, disk: Path) -> None:
    with small_disk(disk), on_disk(url, disk, "--concurrency", "1,2") as on:
        wait_for_hold(on.results, 0, on.run)
        fill(disk)
        wait_for(lambda: "lines wait in memory" in on.run.output, "a line that finds no room", on.run)
        make_room(disk)
        assert_ends_with(0, on.run, on.results)
        done = rows(run_folder(on.results) / "stages.jsonl")[-1]
        assert done["delivery"]["rows"] == len(rows(run_folder(on.results) / "utterances.jsonl"))
        (note,) = [note for note in summary(on.results)["notes"] if "took no lines" in note]
        assert note.endswith("they waited in memory, and none got lost")


def broken(url: str, disk: Path) -> None:
    with disk_that_breaks(disk), on_disk(url, disk, "--concurrency", "1,2", *two_processes()) as on:
        wait_for_hold(on.results, 0, on.run)
        on.run.note_family()
        break_disk(disk)
        assert_everything_is_elsewhere(on, "Read-only file system")


def test_a_disk_that_fills_or_breaks_in_mid_run_costs_no_row(start_sink: StartSink, tmp_path: Path) -> None:
    if why := why_no_disks(tmp_path / "tried"):
        pytest.skip(f"no disk of its own here: {why}")
    url = start_sink().url
    side_by_side(
        [
            partial(full_from, url, tmp_path / "ramp", 0, "ramp", "--concurrency", "1,2"),
            partial(full_from, url, tmp_path / "hold", 0, "hold", "--concurrency", "1,2", *two_processes()),
            partial(full_from, url, tmp_path / "settle", 0, "settle", "--concurrency", "1,2"),
            partial(full_from, url, tmp_path / "report", 0, "settle", "--concurrency", "1"),  # the last one
            partial(full_for_a_while, url, tmp_path / "again"),
            partial(broken, url, tmp_path / "broken"),
        ]
    )
