"""A ladder over machines with addresses of their own: what is there at the end, on a good network and on a bad one."""

from __future__ import annotations

from collections import Counter

import pytest
from load_cluster import DELAY_OF_SERVER_S, MASTER_PORT, SERVER_PORT, LoadCluster, MakeCluster, Scenes, url_of
from runs import rows, run_folder, wait_for
from stand_in import dmon_row

pytestmark = [pytest.mark.locust, pytest.mark.slow, pytest.mark.namespaces]

DELAY_S = 0.3


def a_ladder_with_a_gpu_host(cluster: LoadCluster) -> None:
    smi = cluster.start_sidecar()
    cluster.start("--concurrency", "2,4", "--hold", "4s", "--gpu-sidecar", cluster.sidecar_url)
    for stage in (0, 1):
        cluster.wait_for_hold(stage)
        smi.wait_for_dmon()
        smi.feed(dmon_row(10 + stage, 1_800), dmon_row(20 + stage, 1_900))


def a_ladder_through_a_bad_network(cluster: LoadCluster) -> None:
    """In the first stage it is slow, and the connection of a worker to its master is cut. In the second one connections
    to the server are cut, and in the third one nothing passes for a while."""
    cluster.start_server()
    to_server = cluster.start_relay("to-server", cluster.server.host, SERVER_PORT)
    to_server.order(delay_s=DELAY_S)
    to_master = cluster.start_relay("to-master", cluster.master_host, MASTER_PORT)
    cluster.start_master("--concurrency", "2,2,2", "--hold", "4s", "--stt-url", url_of(to_server.address))
    for address in (cluster.master_host.address, to_master.address):
        cluster.start_worker(address)
    cluster.wait_for_hold(0)
    to_master.order(cuts=1)
    cluster.wait_for_hold(1)
    wait_for(lambda: bool(outcomes(cluster, 1)), "an utterance of the second stage", cluster.master)
    to_server.order(cuts=1)
    cluster.wait_for_hold(2)
    to_server.order(cuts=1, is_stalled=True)
    wait_for(lambda: "timed_out" in outcomes(cluster, 2), "an utterance that times out", cluster.master)
    to_server.order(cuts=1)


def outcomes(cluster: LoadCluster, stage: int) -> Counter[str]:
    """How the utterances of a stage have ended, counted ones and others."""
    return Counter(row["outcome"] for row in cluster.utterances if row["stage"] == stage)


@pytest.fixture(scope="module")
def scenes(make_cluster: MakeCluster) -> Scenes:
    return Scenes(make_cluster, a_ladder_with_a_gpu_host, a_ladder_through_a_bad_network)


def test_every_answer_of_the_server_is_a_row_whichever_machine_its_caller_was_on(scenes: Scenes) -> None:
    ended = scenes.ended(a_ladder_with_a_gpu_host)
    assert ended.code in (0, 4), ended.cluster.master.output  # 4: this machine was late
    assert ended.cluster.broken() == [set(), set()]
    assert ended.cluster.is_whole()
    utterances = ended.cluster.utterances
    assert len(utterances) == ended.answered
    assert {row["worker"] for row in utterances} == {0, 1}
    assert {row["outcome"] for row in utterances} == {"ok"}


def test_figures_of_a_gpu_host_are_tagged_with_the_stage_and_dated_by_the_masters_clock(scenes: Scenes) -> None:
    cluster = scenes.ended(a_ladder_with_a_gpu_host).cluster
    samples = rows(run_folder(cluster.results) / "gpu.jsonl")
    assert [(row["sm_pct"], row["stage"]) for row in samples] == [(10, 0), (20, 0), (11, 1), (21, 1)]
    assert {row["host"] for row in samples} == {"gpu"}
    holds = [line["t"] for line in cluster.transitions if line["phase"] == "hold"]
    assert all(row["t"] > holds[row["stage"]] for row in samples)
    assert not [note for note in cluster.summary["notes"] if "clock" in note]


def test_a_slow_network_shows_in_the_latency_and_in_nothing_else(scenes: Scenes) -> None:
    cluster = scenes.ended(a_ladder_through_a_bad_network).cluster
    assert cluster.broken()[0] <= {"no rows lost"}  # see the next test
    slow = [row for row in cluster.utterances if row["stage"] == 0]
    assert {row["outcome"] for row in slow} == {"ok"}
    assert min(row["eos_latency_s"] for row in slow) > DELAY_OF_SERVER_S + 2 * DELAY_S


def test_a_worker_whose_connection_to_its_master_is_cut_makes_another_one_and_plays_on(scenes: Scenes) -> None:
    cluster = scenes.ended(a_ladder_through_a_bad_network).cluster
    assert not any("workers constant" in broken for broken in cluster.broken())
    assert {row["worker"] for row in cluster.utterances if row["stage"] > 0} == {0, 1}
    assert cluster.is_whole() or "no rows lost" in cluster.broken()[0]  # a report was under way when it was cut


def test_connections_that_are_cut_and_packets_that_stay_lost_are_failures_of_their_stage(scenes: Scenes) -> None:
    ended = scenes.ended(a_ladder_through_a_bad_network)
    assert {"ok"} < set(outcomes(ended.cluster, 1)) <= {"ok", "disconnected", "refused"}  # refused: while it dialled
    assert set(outcomes(ended.cluster, 2)) == {"ok", "timed_out"}
    assert ended.code in (3, 4), ended.cluster.master.output
