"""A master's workers as a run sees them: who is there, how they are told, and when the last of them is done."""

from __future__ import annotations

import gevent
import pytest
from made_locust import MadeMasterRunner, made_environment, settle

from stt_load.locust_plugin.cluster.messages import DRAIN, UPDATE, UPDATE_OPTION
from stt_load.locust_plugin.cluster.worker_cluster import WorkerCluster
from stt_load.run.ledger import Ledger
from stt_load.run.plan import Phase
from stt_load.run.stage_update import StageUpdate

HOLD = StageUpdate("run", 3, 1, Phase.HOLD, 5, ("w0", "w1"))


def made_cluster(**workers: str) -> tuple[WorkerCluster, MadeMasterRunner]:
    runner = MadeMasterRunner(**workers)
    return WorkerCluster(made_environment(runner), "token"), runner


def test_workers_are_listed_by_their_index_without_those_that_are_missing() -> None:
    cluster, runner = made_cluster(w2="running", w0="ready", w1="missing")
    assert cluster.workers() == ["w0", "w2"]
    runner.user_count = 7
    assert (cluster.reached, cluster.target) == (7, 0)
    runner.target_user_count = 9
    assert cluster.target == 9


def test_an_update_reaches_who_is_there_and_who_joins_later() -> None:
    runner = MadeMasterRunner(w0="running")
    environment = made_environment(runner)
    WorkerCluster(environment, "token").tell(HOLD)
    message = {"update": HOLD.to_json(), "token": "token", "has_ladder": True}
    assert runner.sent == [(UPDATE, message)]
    assert getattr(environment.parsed_options, UPDATE_OPTION) == message


def test_a_drain_waits_for_the_last_report_of_every_worker_that_is_there() -> None:
    cluster, runner = made_cluster(w0="running", w1="running", w2="running")
    ledger = Ledger("run", {}, lambda _: None)
    draining = gevent.spawn(cluster.drain, ledger, False, 600.0)
    settle()
    assert runner.sent == [(DRAIN, {"is_cut": False, "limit_s": 600.0, "token": "token"})]
    ledger.drained |= {"w0", "w1"}
    gevent.sleep(0.1)
    assert not draining.ready()
    runner.states["w2"] = "missing"
    with gevent.Timeout(60):
        draining.get()


def test_a_drain_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stt_load.locust_plugin.cluster.worker_cluster._LAST_REPORT_SLACK_S", 0.1)
    cluster, _ = made_cluster(w0="running")
    with gevent.Timeout(60):
        cluster.drain(Ledger("run", {}, lambda _: None), True, 600.0)
