"""The run folder while a run goes on: lines that are there at once, whatever happens next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from stt_load.errors import ConfigError
from stt_load.records import UtteranceRecord
from stt_load.run.run_folder import RunFolder
from stt_load.sealed_lines import is_whole_file, line_number

T = 1_790_000_000.0  # 2026-09-21T14:13:20Z


def lines(path: Path) -> list[dict[str, object]]:
    """The rows of a file, without the seals of their lines."""
    rows = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [{key: value for key, value in row.items() if key not in ("line", "crc32")} for row in rows]


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
    assert [path.name for path in tmp_path.iterdir()] == ["run.json"]


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


def test_without_a_sidecar_there_is_no_file_of_samples(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.add_transition({"phase": "ramp"})
    folder.close()
    assert [path.name for path in tmp_path.iterdir()] == ["stages.jsonl"]


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
