"""Workers that fall silent for a while: which stages can be believed, and whether all of their rows come."""

from __future__ import annotations

import time

import pytest
from load_cluster import LoadCluster, MakeCluster, Scenes
from runs import stand_still

pytestmark = [pytest.mark.locust, pytest.mark.slow, pytest.mark.namespaces]

SHORT_S = 5.0  # less than the lease of a worker
LONG_S = 20.0


def a_master_without_a_network_for_5_s(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2,2", "--hold", "4s")
    cluster.wait_for_hold(0)
    cluster.master.host.unplug()
    time.sleep(SHORT_S)
    cluster.master.host.plug_in()


def a_worker_parted_from_its_master_for_20_s(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2,2", "--hold", "4s")
    cluster.wait_for_hold(0)
    cluster.workers[0].host.part_from(cluster.master_host)
    time.sleep(LONG_S)
    cluster.workers[0].host.join(cluster.master_host)


def a_worker_that_is_stopped_for_15_s(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2,2", "--hold", "4s")
    cluster.wait_for_hold(0)
    stand_still(cluster.workers[0].process.pid, 15.0)


def a_master_that_is_stopped_for_15_s(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2,2", "--hold", "4s")
    cluster.wait_for_hold(0)
    stand_still(cluster.master.process.pid, 15.0)


@pytest.fixture(scope="module")
def scenes(make_cluster: MakeCluster) -> Scenes:
    return Scenes(
        make_cluster,
        a_master_without_a_network_for_5_s,
        a_worker_parted_from_its_master_for_20_s,
        a_worker_that_is_stopped_for_15_s,
        a_master_that_is_stopped_for_15_s,
    )


def test_a_network_that_is_away_for_5_s_changes_nothing_in_a_run(scenes: Scenes) -> None:
    ended = scenes.ended(a_master_without_a_network_for_5_s)
    assert ended.code in (0, 4), ended.cluster.master.output  # 4: this machine was late
    busy = {"workers constant"} if "is silent for" in ended.cluster.master.output else set()  # it lasted for 8 s here
    assert (ended.cluster.broken()[0] <= busy, ended.cluster.broken()[1]) == (True, set())
    assert ended.cluster.is_whole()
    assert len(ended.cluster.utterances) == ended.answered


def test_a_worker_that_is_parted_from_its_master_stops_its_callers_before_others_take_over_and_loses_no_row(
    scenes: Scenes,
) -> None:
    ended = scenes.ended(a_worker_parted_from_its_master_for_20_s)
    cluster = ended.cluster
    assert ended.code == 4, cluster.master.output
    assert "the callers stop until it is heard again" in cluster.workers[0].output
    next_stage_at = next(line["t"] for line in cluster.transitions if line["stage"] == 1)
    of_the_first = [row for row in cluster.utterances if row["stage"] == 0]
    assert max(row["started_at"] for row in of_the_first) < next_stage_at
    assert "interrupted" in {row["outcome"] for row in of_the_first}
    assert len(cluster.utterances) >= ended.answered
    assert "is silent for" in cluster.master.output
    assert "workers constant" in cluster.broken()[0]
    assert cluster.is_whole()
    assert [worker.process.returncode for worker in cluster.workers] == [0, 0]
    assert any(note.startswith("load workers that were lost, or silent for long: 1, at 2") for note in notes(cluster))


def test_a_worker_that_is_stopped_for_15_s_spoils_its_own_stage_and_plays_the_next_one(scenes: Scenes) -> None:
    ended = scenes.ended(a_worker_that_is_stopped_for_15_s)
    cluster = ended.cluster
    assert ended.code == 4, cluster.master.output
    assert ("workers constant" in cluster.broken()[0], cluster.broken()[1]) == (True, set())
    assert "load workers that were lost, or silent for long: 1, at 2 callers (stage 1)" in notes(cluster)
    assert {row["worker"] for row in cluster.utterances if row["stage"] == 1} == {0, 1}
    assert cluster.is_whole()


def test_a_master_that_is_stopped_for_15_s_spoils_its_stage_alone_and_loses_no_row(scenes: Scenes) -> None:
    ended = scenes.ended(a_master_that_is_stopped_for_15_s)
    cluster = ended.cluster
    assert ended.code == 4, cluster.master.output
    assert ("workers constant" in cluster.broken()[0], cluster.broken()[1]) == (True, set())
    assert cluster.is_whole()
    assert [worker.process.returncode for worker in cluster.workers] == [0, 0]


def notes(cluster: LoadCluster) -> list[str]:
    return list(cluster.summary["notes"])
