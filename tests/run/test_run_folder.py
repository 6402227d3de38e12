"""The run folder while a run goes on: lines that are there at once, whatever happens next."""

from __future__ import annotations

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from fakes import FakeClock
from small_disk import no_room_beyond, set_room

from stt_load.errors import ConfigError, WriteError
from stt_load.process.data_folder import rescue_folders
from stt_load.records import UtteranceRecord
from stt_load.report.raw_files import SAMPLE_FILES, SERVER_LOOKS
from stt_load.run.run_folder import PATIENCE_S, RunFolder
from stt_load.sealed_lines import is_whole_file, line_number

T = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def lines(path: Path) -> list[dict[str, object]]:
    """The rows of a file, without the seals of their lines."""
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("line", "crc32")} for row in rows]


def run_id(path: Path) -> object:
    return json.loads((path / "run.json").read_bytes())["run_id"]


def test_a_folder_is_named_after_its_start_and_numbered_where_that_exists(tmp_path: Path) -> None:
    names = [RunFolder.create(str(tmp_path / "results"), "night", T).path.name for _ in range(3)]
    assert names == ["20260921T141320Z-night", "20260921T141320Z-night-2", "20260921T141320Z-night-3"]


def test_a_folder_that_can_not_be_made_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("a file")
    with pytest.raises(ConfigError, match=r"--results: .* can't be made \(.*\): name a folder") as caught:
        RunFolder.create(str(tmp_path / "results"), "night", T)
    assert "\n" not in str(caught.value)


def test_run_json_is_replaced_whole(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.write_run({"run_id": "a", "ended_at": None})
    folder.write_run({"run_id": "a", "ended_at": 1.5, "label": "à"})
    text = (tmp_path / "run.json").read_bytes()
    run = json.loads(text)
    assert len(run.pop("crc32")) == 8
    assert run == {"run_id": "a", "ended_at": 1.5, "label": "à"}
    assert is_whole_file(text)
    folder.close()
    assert {path.name for path in tmp_path.iterdir()} == {"run.json", "stages.jsonl", "utterances.jsonl"}


def test_transitions_are_numbered_and_every_kind_has_its_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_transition({"phase": "ramp"})
    spoken = UtteranceRecord("run", 0, 0, 0, "hold", 5, "clip", "words", text="café")
    folder.add_utterances((spoken.to_json() + b"\n") * 2)
    folder.add_transition({"phase": "hold"})
    folder.add_sample({"kind": "gpu", "sm_pct": 45})
    folder.add_sample({"kind": "host", "cpu_pct": 12.5})
    folder.add_sample({"kind": "process", "cpu_cores": 0.5})
    folder.close()
    assert lines(tmp_path / "stages.jsonl") == [{"seq": 0, "phase": "ramp"}, {"seq": 1, "phase": "hold"}]
    assert lines(tmp_path / "gpu.jsonl") == [{"kind": "gpu", "sm_pct": 45}]
    assert lines(tmp_path / "host.jsonl") == [{"kind": "host", "cpu_pct": 12.5}, {"kind": "process", "cpu_cores": 0.5}]
    row, again = lines(tmp_path / "utterances.jsonl")
    assert (row["text"], row["outcome"]) == ("café", "interrupted")
    assert row == again


def test_every_line_is_sealed_with_its_number_in_its_file(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_utterances(b'{"a":1}\n{"a":2}\n')
    folder.add_transition({"phase": "ramp"})
    folder.add_utterances(b'{"a":3}\n')
    folder.add_sample({"kind": "gpu", "sm_pct": 45})
    folder.close()
    assert folder.n_lines == {"utterances.jsonl": 3, "stages.jsonl": 1, "gpu.jsonl": 1}
    for name, n in folder.n_lines.items():
        assert [line_number(line) for line in (tmp_path / name).read_bytes().splitlines()] == list(range(n))


@pytest.mark.parametrize("samples", [(), SAMPLE_FILES, (*SAMPLE_FILES, SERVER_LOOKS)], ids=len)
def test_without_a_sample_there_is_no_file_of_samples(tmp_path: Path, samples: tuple[str, ...]) -> None:
    folder = RunFolder(tmp_path, samples)
    folder.add_transition({"phase": "ramp"})
    folder.close()
    assert {path.name for path in tmp_path.iterdir()} == {"stages.jsonl", "utterances.jsonl"}


def test_no_descriptor_has_to_be_found_once_it_is_made(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))  # every number above is taken or refused
    try:
        folder.add_transition({"phase": "ramp"})
        folder.add_utterances(b'{"a":1}\n')
        folder.add_sample({"kind": "gpu"})
        with pytest.raises(WriteError, match="Too many open files"):
            folder.write_run({"run_id": "a"})
        folder.keep_up()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    folder.settle()
    folder.close()
    assert run_id(tmp_path) == "a"
    assert {len(lines(tmp_path / name)) for name in ("stages.jsonl", "utterances.jsonl", "gpu.jsonl")} == {1}


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a folder goes that the disk has no room for."""
    monkeypatch.setenv("STT_LOAD_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    return tmp_path / "data" / "results" / "run"


class Full:
    """A run folder with four lines on a disk that takes twelve bytes more of each file, and the time."""

    def __init__(self, path: Path) -> None:
        path.mkdir()
        self.clock = FakeClock()
        self.folder = RunFolder(path, clock=self.clock)
        self.folder.write_run({"run_id": "a"})
        self.folder.add_transition({"phase": "ramp"})
        self.n = 0
        self.add(4)

    def add(self, n: int) -> None:
        for _ in range(n):
            self.folder.add_utterances(json.dumps({"n": self.n, "text": "x" * 100}).encode() + b"\n")
            self.n += 1

    def no_room(self) -> AbstractContextManager[None]:
        return no_room_beyond((self.folder.path / "utterances.jsonl").stat().st_size + 12)

    def numbers(self) -> list[object]:
        return [line["n"] for line in lines(self.folder.path / "utterances.jsonl")]


@pytest.fixture
def full(tmp_path: Path, elsewhere: Path) -> Full:
    return Full(tmp_path / "run")


def test_a_disk_that_is_full_for_a_while_costs_no_line(full: Full, caplog: pytest.LogCaptureFixture) -> None:
    with full.no_room():
        assert full.folder.has_every_line
        full.add(3)
        full.folder.keep_up()
        assert not full.folder.has_every_line
        full.clock.now_s += PATIENCE_S - 1.0
        full.folder.keep_up()
        full.add(1)
    full.add(1)
    full.folder.keep_up()
    assert full.folder.has_every_line
    assert full.numbers() == list(range(9))
    assert full.folder.waited_s == PATIENCE_S - 1.0
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 2, told
    assert "can't be written: File too large; lines wait in memory and are tried again for 10 s" in told[0]
    assert "takes lines again after 9.0 s: none is lost" in told[1]
    full.folder.settle()


def test_a_disk_that_stays_full_ends_the_run_and_everything_is_elsewhere(
    full: Full, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def on_another_disk() -> Iterator[Path]:
        set_room(None)
        return rescue_folders()

    monkeypatch.setattr("stt_load.run.run_folder.rescue_folders", on_another_disk)
    with full.no_room():
        full.add(3)
        full.clock.now_s += PATIENCE_S
        with pytest.raises(WriteError, match=r"/run can't be written: File too large$"):
            full.folder.keep_up()
        full.add(1)  # what is still being measured
        with pytest.raises(WriteError, match=rf"File too large; everything measured is in {elsewhere}$"):
            full.folder.settle()
    full.folder.settle()
    full.add(1)
    full.folder.close()
    assert full.folder.path == elsewhere
    assert full.numbers() == list(range(9))
    assert lines(elsewhere / "stages.jsonl") == [{"seq": 0, "phase": "ramp"}]
    assert run_id(elsewhere) == "a"


def test_lines_that_no_place_takes_are_counted_and_told(full: Full, tmp_path: Path) -> None:
    with full.no_room():
        full.add(3)
        full.clock.now_s += PATIENCE_S
        with pytest.raises(WriteError, match="no other place takes what was measured: 3 lines are lost"):
            full.folder.settle()
    assert full.folder.path == tmp_path / "run"
    assert not list(tmp_path.glob("*/results/*")), "half of a copy"


def test_what_waits_has_a_bound_and_what_is_beyond_it_is_counted(full: Full, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stt_load.run.run_folder.MEMORY_BYTES", 700)
    with full.no_room():
        full.add(2)
        full.folder.keep_up()
        full.add(1)
        with pytest.raises(WriteError, match="can't be written"):
            full.folder.keep_up()
        full.add(3)
        full.folder.add_transition({"phase": "done"})  # there are few of these, and nothing can be told without them
    with pytest.raises(WriteError, match="2 lines found no room on the disk or in memory: lost"):
        full.folder.settle()
    assert full.numbers() == list(range(8))
    assert len(lines(full.folder.path / "stages.jsonl")) == 2


@pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="nothing else here fails for good at a write")
def test_a_disk_that_is_broken_is_not_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "utterances.jsonl").symlink_to("/proc/self/mem")
    folder = RunFolder(tmp_path)
    folder.add_utterances(b'{"a":1}\n')
    with pytest.raises(WriteError, match="can't be written: Input/output error"):
        folder.keep_up()
    assert not caplog.text
    folder.close()


def test_a_folder_that_is_removed_is_made_again_with_all_its_lines(full: Full, tmp_path: Path) -> None:
    shutil.rmtree(full.folder.path)
    full.add(2)
    with pytest.raises(WriteError, match="has been removed or renamed"):
        full.folder.keep_up()
    with pytest.raises(WriteError, match=f"everything measured is in {tmp_path / 'run'}$"):
        full.folder.settle()
    full.folder.add_sample({"kind": "gpu"})
    full.folder.close()
    assert full.numbers() == list(range(6))
    assert lines(tmp_path / "run" / "gpu.jsonl") == [{"kind": "gpu"}]
    assert not (tmp_path / "run" / "host.jsonl").exists()
    assert run_id(tmp_path / "run") == "a"


def test_what_comes_when_it_is_closed_is_too_late(full: Full) -> None:
    full.folder.close()
    full.add(1)
    assert full.numbers() == [0, 1, 2, 3]


_KILLED = """\
import os, signal, sys
from pathlib import Path
from stt_load.run.run_folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
for number in range(1_000):
    folder.add_transition({"number": number, "padding": "x" * 100})
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_kill_9_loses_no_line(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED, str(tmp_path)], timeout=60, env=dict(os.environ), check=False)
    assert done.returncode == -signal.SIGKILL
    assert [line["number"] for line in lines(tmp_path / "stages.jsonl")] == list(range(1_000))
