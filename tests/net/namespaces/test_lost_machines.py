"""Machines that are lost for good or don't fit: a worker, the master, a GPU host, workers that differ."""

from __future__ import annotations

import shutil
import signal
import time

import pytest
from load_cluster import LoadCluster, MakeCluster, Scenes
from runs import REPOSITORY, rows, run_folder, stand_still, wait_for
from stand_in import dmon_row

pytestmark = [pytest.mark.locust, pytest.mark.slow, pytest.mark.namespaces]


def a_worker_that_is_killed(cluster: LoadCluster) -> None:
    """It was stopped for 3 s before, which is no loss."""
    cluster.start("--concurrency", "2,2", "--hold", "4s")
    cluster.wait_for_hold(0)
    stand_still(cluster.workers[0].process.pid, 3.0)
    cluster.workers[0].send(signal.SIGKILL)


def a_master_that_is_killed(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2", "--hold", "600s")
    wait_for_rows(cluster, 4)
    cluster.master.send(signal.SIGKILL)


def a_gpu_host_without_a_network(cluster: LoadCluster) -> None:
    smi = cluster.start_sidecar()
    cluster.start("--concurrency", "2", "--hold", "25s", "--gpu-sidecar", cluster.sidecar_url)
    cluster.wait_for_hold(0)
    smi.wait_for_dmon()
    smi.feed(dmon_row(10, 1_800))
    samples = run_folder(cluster.results) / "gpu.jsonl"
    wait_for(lambda: len(rows(samples)) == 1, "a GPU sample", cluster.master)
    cluster.sidecar.host.unplug()
    smi.feed(dmon_row(20, 1_800))
    time.sleep(20.0)
    cluster.sidecar.host.plug_in()


def workers_that_differ(cluster: LoadCluster) -> None:
    """One of three workers fits. Another one has changed code, and the third one a clip less under the same path."""
    for name in ("master", "worker-0", "worker-1", "worker-2"):
        shutil.copytree(cluster.clips, cluster.folder / name / "clips")
    listing = cluster.folder / "worker-2" / "clips" / "clips.jsonl"
    listing.write_text("".join(listing.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")
    code = cluster.folder / "worker-1" / "code"
    shutil.copytree(REPOSITORY / "stt_load", code / "stt_load", ignore=shutil.ignore_patterns("__pycache__"))
    with (code / "stt_load" / "records.py").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    for more in ({}, {"PYTHONPATH": str(code)}, {}):
        worker = cluster.start_worker(**more)
        wait_for(lambda run=worker: "no master answers" in run.output, "a worker that looks for its master", worker)  # type: ignore[misc]
    cluster.start_server()
    cluster.start_master("--concurrency", "2", "--clips", "clips", "--expect-workers-max-wait", "15")


def wait_for_rows(cluster: LoadCluster, n: int) -> None:
    cluster.wait_for_hold(0)
    wait_for(lambda: len(cluster.utterances) >= n, f"{n} rows", cluster.master)


@pytest.fixture(scope="module")
def scenes(make_cluster: MakeCluster) -> Scenes:
    return Scenes(
        make_cluster,
        a_worker_that_is_killed,
        a_master_that_is_killed,
        a_gpu_host_without_a_network,
        workers_that_differ,
    )


def test_the_others_take_over_from_a_worker_that_is_killed_when_the_next_stage_begins(scenes: Scenes) -> None:
    cluster = scenes.ended(a_worker_that_is_killed).cluster
    assert cluster.master.process.returncode == 4, cluster.master.output
    assert ("workers constant" in cluster.broken()[0], cluster.broken()[1]) == (True, set())
    assert len({row["worker"] for row in cluster.utterances if row["stage"] == 1}) == 1
    held = next(line for line in cluster.transitions if (line["stage"], line["phase"]) == (1, "hold"))
    assert (held["reason"], held["workers"], held["reached"]) == ("target reached", 1, 2)
    assert [worker.process.returncode for worker in cluster.workers] == [-signal.SIGKILL, 0]


def test_workers_leave_a_master_that_is_killed_and_what_was_measured_is_there(scenes: Scenes) -> None:
    ended = scenes.ended(a_master_that_is_killed)
    assert [worker.process.returncode for worker in ended.cluster.workers] == [1, 1]
    assert all("this worker leaves" in worker.output for worker in ended.cluster.workers)
    assert len(ended.cluster.utterances) >= 4


def test_figures_of_a_gpu_host_that_was_cut_off_for_20_s_come_later_and_the_run_goes_on(scenes: Scenes) -> None:
    ended = scenes.ended(a_gpu_host_without_a_network)
    cluster = ended.cluster
    assert ended.code in (0, 4), cluster.master.output  # 4: this machine was late
    assert cluster.broken() == [set()]
    assert len(cluster.utterances) == ended.answered
    assert [row["sm_pct"] for row in rows(run_folder(cluster.results) / "gpu.jsonl")] == [10, 20]


def test_workers_that_differ_are_refused_and_the_master_says_so_and_gives_up_in_time(scenes: Scenes) -> None:
    cluster = scenes.ended(workers_that_differ).cluster
    master, (fits, other_code, other_clips) = cluster.master, cluster.workers
    assert [each.process.returncode for each in (master, fits, other_code, other_clips)] == [1, 0, 2, 2], master.output
    assert "the master refuses this worker: it runs stt-load" in other_code.output
    assert "the master refuses this worker: of the master's 4 clips (clips): 1 missing" in other_clips.output
    assert master.output.count("is refused") == 2
    assert "1 of 2 workers are here, 2 refused; the run waits for the others" in master.output
    assert not cluster.results.exists() or not list(cluster.results.iterdir())
