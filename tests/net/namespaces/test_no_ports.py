"""A load machine whose ports are all taken: nothing of it is the server's fault."""

from __future__ import annotations

import subprocess

import pytest
from load_cluster import LoadCluster, MakeCluster, Scenes
from runs import PATIENCE_S

pytestmark = [pytest.mark.locust, pytest.mark.namespaces]

PORTS = "50000 50011"  # each stays taken for a minute after its connection


def a_worker_with_a_dozen_ports(cluster: LoadCluster) -> None:
    cluster.start("--concurrency", "2,16", "--hold", "3s", "--ramp-rate", "20", n_workers=1)
    set_ports = cluster.workers[0].host.line("sysctl", "-qw", f"net.ipv4.ip_local_port_range={PORTS}")
    subprocess.run(set_ports, check=True, timeout=PATIENCE_S)
    cluster.wait_for_hold(1)


def test_callers_without_a_port_are_failures_of_the_generator(make_cluster: MakeCluster) -> None:
    ended = Scenes(make_cluster, a_worker_with_a_dozen_ports).ended(a_worker_with_a_dozen_ports)
    assert ended.code == 4, ended.cluster.master.output
    assert ended.cluster.is_whole()
    assert "the load generator itself did not fail" in ended.cluster.broken()[1]
    outcomes = {row["outcome"] for row in ended.cluster.utterances}
    assert outcomes == {"ok", "interrupted"}, "no caller was refused by the server"
    told = [row["error"] for row in ended.cluster.utterances if row["outcome"] == "interrupted"]
    assert any("no port is left of this machine's 12 (50000 to 50011" in error for error in told)
