from __future__ import annotations

import json
import logging
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from small_disk import fill, make_room, small_disk, why_no_disks

from gpu_sidecar.recorder import Recorder
from gpu_sidecar.recording_format import NotARecording, RecordingHeader, header_line
from gpu_sidecar.sample import Sample
from gpu_sidecar.timeline import StageChange, StageTag

HEADER = RecordingHeader("gpu7", "b1", 100.0)


def sample(sm: float) -> Sample:
    return Sample("gpu", {"sm_pct": sm}, 0)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def record(path: Path, *sms: float, header: RecordingHeader = HEADER) -> None:
    recorder = Recorder(path, lambda: header)
    for sm in sms:
        recorder.add(sample(sm), 100.0 + sm, sm)
    recorder.close()


def test_a_header_then_a_line_for_each_sample_and_change_of_stage(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", lambda: HEADER)
    recorder.add(sample(1), 101.0, 1.0)
    recorder.add_stage_change(StageChange(StageTag("r1", 0, 1, "hold"), 102.0, 2.0))
    recorder.add(sample(2), 103.0, 3.0)
    recorder.close()
    header, *rows = rows_of(tmp_path / "r")
    assert (header["recording"], header["host"], header["boot"]) == (1, "gpu7", "b1")
    assert [row.get("sm_pct") for row in rows] == [1, None, 2]
    assert rows[1]["mark"]["phase"] == "hold"


def test_a_line_is_there_as_soon_as_it_was_added(tmp_path: Path) -> None:
    """So a killed sidecar loses nothing."""
    recorder = Recorder(tmp_path / "r", lambda: HEADER)
    recorder.add(sample(1), 101.0, 1.0)
    assert [row.get("sm_pct") for row in rows_of(tmp_path / "r")] == [None, 1]
    recorder.close()


def test_each_start_appends_behind_a_header_of_its_own(tmp_path: Path) -> None:
    record(tmp_path / "r", 1)
    record(tmp_path / "r", 2, header=RecordingHeader("gpu7", "b2", 200.0))
    assert [row.get("boot", row.get("sm_pct")) for row in rows_of(tmp_path / "r")] == ["b1", 1, "b2", 2]


def test_gpus_that_changed_get_a_new_header(tmp_path: Path) -> None:
    headers = [HEADER]
    recorder = Recorder(tmp_path / "r", lambda: headers[-1])
    recorder.add(sample(1), 101.0, 1.0)
    headers.append(RecordingHeader("gpu7", "b1", 100.0, ({"index": 0},)))
    recorder.add(sample(2), 102.0, 2.0)
    recorder.close()
    assert [row.get("gpus", row.get("sm_pct")) for row in rows_of(tmp_path / "r")] == [[], 1, [{"index": 0}], 2]


@pytest.mark.parametrize("torn", ['{"t": 102.0, "mono": 2.0, "ki', "{", header_line(HEADER)[:-1]])
def test_a_line_that_a_death_cut_off_is_closed_off(tmp_path: Path, torn: str) -> None:
    record(tmp_path / "r", 1)
    with (tmp_path / "r").open("a") as file:
        file.write(torn)
    record(tmp_path / "r", 2)
    lines = (tmp_path / "r").read_text().splitlines()
    assert lines[2] == torn
    assert [json.loads(line).get("sm_pct") for line in lines[3:]] == [None, 2]


def test_a_recording_that_died_in_its_first_header_goes_on(tmp_path: Path) -> None:
    (tmp_path / "r").write_text(header_line(HEADER)[:25])
    record(tmp_path / "r", 1)
    assert [json.loads(line).get("sm_pct") for line in (tmp_path / "r").read_text().splitlines()[1:]] == [None, 1]


@pytest.mark.parametrize("text", ["what I had for lunch\n", "no newline", '{"seq": 1}\n', '{"recording": 7}\n'])
def test_a_file_that_holds_something_else_is_left_alone(tmp_path: Path, text: str) -> None:
    (tmp_path / "r").write_text(text)
    with pytest.raises(NotARecording):
        Recorder(tmp_path / "r", lambda: HEADER)
    assert (tmp_path / "r").read_text() == text


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full is Linux's")
def test_a_full_disk_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    recorder = Recorder(Path("/dev/full"), lambda: HEADER)
    with caplog.at_level(logging.WARNING):
        for sm in range(3):
            recorder.add(sample(sm), 100.0, 1.0)
    recorder.close()
    line = "can't write to /dev/full: No space left on device"
    assert [record.getMessage() for record in caplog.records] == [f"recording: {line}; sampling goes on"]
    assert (recorder.error, recorder.n_lines, recorder.n_lost) == (line, 0, 3)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a limit on file sizes is POSIX")
def test_after_half_a_line_that_the_disk_took_the_recording_goes_on_with_whole_ones(tmp_path: Path) -> None:
    """The disk is a limit on the size of files here, so that it takes half a line and then has room again."""
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    pid = os.fork()
    if pid == 0:
        exit_code = 1
        try:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            recorder = Recorder(tmp_path / "r", lambda: HEADER)
            recorder.add(sample(1), 101.0, 1.0)
            _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
            resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "r").stat().st_size + 20, hard))
            recorder.add(sample(2), 102.0, 2.0)
            recorder.add(sample(3), 103.0, 3.0)
            resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
            recorder.add(sample(4), 104.0, 4.0)
            exit_code = 0 if recorder.error == "" else 2
        finally:
            os._exit(exit_code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    lines = (tmp_path / "r").read_text().splitlines()
    assert lines[2] == '{"t": 102.0, "mono":'
    assert [json.loads(line).get("sm_pct") for line in (*lines[:2], *lines[3:])] == [None, 1, 4]


@pytest.mark.parametrize("rotate", [True, False])
def test_a_file_that_was_rotated_or_removed_is_followed_by_another(tmp_path: Path, rotate: bool) -> None:
    path = tmp_path / "r"
    recorder = Recorder(path, lambda: HEADER)
    recorder.add(sample(1), 101.0, 1.0)
    path.rename(tmp_path / "r.1") if rotate else path.unlink()
    recorder.add(sample(2), 102.0, 2.0)
    recorder.close()
    assert [row.get("sm_pct") for row in rows_of(path)] == [None, 2]
    assert (recorder.n_lines, recorder.n_lost, recorder.error) == (2, 0, "")


def test_lines_that_find_no_folder_are_counted_and_the_recording_goes_on_in_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "folder" / "r"
    path.parent.mkdir()
    recorder = Recorder(path, lambda: HEADER)
    path.unlink()
    path.parent.rmdir()
    for sm in (1, 2):
        recorder.add(sample(sm), 101.0, 1.0)
    assert (recorder.n_lost, recorder.error) == (2, f"can't write to {path}: No such file or directory")
    path.parent.mkdir()
    recorder.add(sample(3), 103.0, 3.0)
    recorder.close()
    assert [row.get("sm_pct") for row in rows_of(path)] == [None, 3]
    assert (recorder.n_lines, recorder.n_lost, recorder.error) == (1, 2, "")
    assert caplog.messages == [
        f"recording: can't write to {path}: No such file or directory; sampling goes on",
        "recording: it goes on; 2 lines are missing in all",
    ]


def test_a_header_that_cannot_be_made_costs_a_line_and_raises_nothing(tmp_path: Path) -> None:
    headers = iter([HEADER])
    recorder = Recorder(tmp_path / "r", lambda: next(headers))
    for sm in (1, 2):
        recorder.add(sample(sm), 101.0, 1.0)
    recorder.close()
    assert (recorder.n_lines, recorder.n_lost) == (1, 1)
    assert "StopIteration" in recorder.error


def test_threads_that_add_at_once_write_whole_lines(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", lambda: HEADER)

    def add_many(gpu: int) -> None:
        for n in range(200):
            recorder.add(Sample("gpu", {"sm_pct": n}, gpu), 100.0, 1.0)

    threads = [threading.Thread(target=add_many, args=(gpu,)) for gpu in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    recorder.close()
    rows = rows_of(tmp_path / "r")
    assert [row["sm_pct"] for row in rows[1:] if row["gpu"] == 3] == list(range(200))
    assert (len(rows), recorder.n_lines) == (801, 800)


def test_what_comes_after_the_close_is_dropped_in_silence(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "r", lambda: HEADER)
    recorder.close()
    recorder.add(sample(1), 101.0, 1.0)
    assert (tmp_path / "r").read_text() == ""


def test_a_disk_that_is_full_for_a_while_costs_the_lines_of_that_while(tmp_path: Path) -> None:
    if why := why_no_disks(tmp_path / "tried"):
        pytest.skip(f"no disk of its own here: {why}")
    with small_disk(tmp_path / "disk", "64k") as disk:
        recorder = Recorder(disk / "r", lambda: HEADER)
        recorder.add(sample(1), 101.0, 1.0)
        fill(disk)
        n = 0
        while not recorder.n_lost:  # the last page of the file has room for some more
            n += 1
            recorder.add(sample(1), 101.0, 1.0)
        make_room(disk)
        recorder.add(sample(2), 102.0, 2.0)
        recorder.close()
        lines = (disk / "r").read_text().splitlines()
    assert (recorder.n_lost, recorder.n_lines, recorder.error) == (1, n + 1, "")
    assert json.loads(lines[-1])["sm_pct"] == 2
    assert len(lines) - 1 - recorder.n_lines in (0, 1)  # half of the lost one, on a line of its own
