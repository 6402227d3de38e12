"""Pods of deploy/kubernetes, with the commands and the environment that they have there, as processes here."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from pods import Node, Pod, can_make_pods, render
from runs import StartSink, rows, run_folder, summary, wait_for_hold

pytestmark = [
    pytest.mark.locust,
    pytest.mark.skipif(not can_make_pods(), reason="this user may not make namespaces"),
]

Start = Callable[[str], tuple[Pod, Pod, Pod]]


@pytest.fixture
def start(start_sink: StartSink, short_clips: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the master and both workers of a folder, with a server of ours and the secrets that the guide makes."""
    node = Node(
        tmp_path,
        ip=f"127.{os.getpid() >> 8 & 255}.{os.getpid() & 255}.57",  # nobody else's, so port 5557 is free
        secrets={"stt-load": {"STT_LOAD_CLUSTER_TOKEN": os.urandom(16).hex()}},
        values={
            "STT_LOAD_STT_URL": start_sink().url,
            "STT_LOAD_CLIPS": str(short_clips),
            "STT_LOAD_CONCURRENCY": "2",
            "STT_LOAD_HOLD": "1s",
            "STT_LOAD_SETTLE": "0.2s",
            "STT_LOAD_SLO": "eos_latency:p95<60s,error_rate<50%",
        },
    )
    with ExitStack() as stack:

        def start_pods(folder: str) -> tuple[Pod, Pod, Pod]:
            names = ("stt-load-worker", "stt-load-worker", "stt-load-master")
            first, second, master = (stack.enter_context(node.start(render(folder), name)) for name in names)
            return master, first, second

        yield start_pods


def test_a_ladder_of_pods_ends_by_itself_and_leaves_its_run_folder_on_the_volume(start: Start, tmp_path: Path) -> None:
    master, *workers = start("ladder")
    code = master.wait()
    assert code in (0, 4), master.output  # a busy machine sends frames late, which is no fault of the manifests
    assert code == summary(tmp_path / "results")["exit_code"], master.output
    assert [worker.wait() for worker in workers] == [0, 0], "".join(worker.output for worker in workers)
    folder = run_folder(tmp_path / "results")
    assert {row["worker"] for row in rows(folder / "utterances.jsonl")} == {0, 1}
    assert {row["outcome"] for row in rows(folder / "utterances.jsonl")} == {"ok"}
    assert (folder / "report.html").stat().st_size > 0
    assert not (tmp_path / "cache").exists()


def test_a_search_of_pods_whose_master_is_deleted_writes_its_report(start: Start, tmp_path: Path) -> None:
    master, *workers = start("find")
    wait_for_hold(tmp_path / "results", 0, master)
    master.delete()
    assert master.wait() == 5, master.output
    assert [worker.wait() for worker in workers] == [0, 0], "".join(worker.output for worker in workers)
    assert summary(tmp_path / "results")["verdict"] == "aborted"
    assert (run_folder(tmp_path / "results") / "report.html").stat().st_size > 0
