"""The YAML to copy: it parses, has what the APIs want, and its numbers are those of the deployment."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sized import CPU, replica

from stt_load.sizing.deployment import Demand, plan_deployment
from stt_load.sizing.manifests import advice, autoscaler_by_cpu, autoscaler_by_streams, keda_by_streams, resources
from stt_load.sizing.replica import ServerCpu

DEMAND = Demand(300, headroom=0.2, duty=0.6)
ON_CPU = replica(gpus=None, cpu=CPU)


def parsed(text: str | None) -> Any:
    assert text is not None
    return yaml.safe_load(text)


def check_behavior(behavior: dict[str, Any]) -> None:
    """25 % a minute down, two pods in 30 s up."""
    assert behavior["scaleDown"]["policies"] == [{"type": "Percent", "value": 25, "periodSeconds": 60}]
    assert behavior["scaleUp"]["policies"] == [{"type": "Pods", "value": 2, "periodSeconds": 30}]
    assert behavior["scaleDown"]["stabilizationWindowSeconds"] == 300


def test_an_autoscaler_by_streams() -> None:
    deployment = plan_deployment(replica(), DEMAND)
    manifest = parsed(autoscaler_by_streams(deployment))
    assert (manifest["apiVersion"], manifest["kind"]) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    spec = manifest["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "stt-server"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, deployment.replicas)
    (metric,) = spec["metrics"]
    assert metric["type"] == "Pods"
    assert metric["pods"]["metric"] == {"name": "stt_active_streams"}
    quantity = metric["pods"]["target"]["averageValue"]
    assert int(quantity.removesuffix("m")) / (1000 if quantity.endswith("m") else 1) == deployment.planned
    check_behavior(spec["behavior"])


def test_keda_does_the_same_from_prometheus() -> None:
    deployment = plan_deployment(replica(), DEMAND)
    manifest = parsed(keda_by_streams(deployment))
    assert (manifest["apiVersion"], manifest["kind"]) == ("keda.sh/v1alpha1", "ScaledObject")
    spec = manifest["spec"]
    assert (spec["minReplicaCount"], spec["maxReplicaCount"]) == (2, deployment.replicas)
    check_behavior(spec["advanced"]["horizontalPodAutoscalerConfig"]["behavior"])
    (trigger,) = spec["triggers"]
    assert trigger["type"] == "prometheus"
    assert trigger["metadata"].keys() == {"serverAddress", "query", "threshold"}
    assert float(trigger["metadata"]["threshold"]) == pytest.approx(deployment.planned)


def test_an_autoscaler_by_cpu_where_the_cpu_does_the_work() -> None:
    deployment = plan_deployment(ON_CPU, DEMAND)
    (metric,) = parsed(autoscaler_by_cpu(deployment, ON_CPU))["spec"]["metrics"]
    # 1.2 of 2 cores at full load, less a fifth.
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 48}}


@pytest.mark.parametrize(
    ("one", "why"),
    [
        pytest.param(replica(cpu=CPU), "a GPU does the work", id="a GPU"),
        pytest.param(replica(), "no figures of the server's processes", id="no sidecar"),
    ],
)
def test_without_a_cpu_that_tells_of_the_load_there_is_no_such_target(one: Any, why: str) -> None:
    deployment = plan_deployment(one, DEMAND)
    assert autoscaler_by_cpu(deployment, one) is None
    assert any(why in line for line in advice(deployment, one))


@pytest.mark.parametrize(
    ("cpu", "cores"),
    [
        pytest.param(CPU, "2", id="what it used, in whole cores"),
        pytest.param(ServerCpu(0.4, 0.4, 900.0, None, None), "1", id="less than a core is a whole one"),
        pytest.param(ServerCpu(1.2, 1.7, 900.0, 4.0, 0.0), "4", id="the limit that it was tested with"),
        pytest.param(ServerCpu(0.3, 0.4, 900.0, 0.4, 0.6), "400m", id="a limit of less than a core"),
    ],
)
def test_requests_are_limits_so_that_the_pod_is_guaranteed(cpu: ServerCpu, cores: str) -> None:
    block = parsed(resources(replica(gpus=None, cpu=cpu)))["resources"]
    assert block["requests"] == block["limits"] == {"cpu": cores, "memory": "1152Mi"}


def test_a_pod_on_a_gpu_asks_for_it() -> None:
    assert parsed(resources(replica(gpus=2.0, cpu=CPU)))["resources"]["limits"]["nvidia.com/gpu"] == "2"


def test_without_a_sidecar_nothing_is_asked_for() -> None:
    assert resources(replica()) is None


def test_of_another_machine_the_cpu_is_not_known() -> None:
    told = advice(plan_deployment(ON_CPU, DEMAND), ON_CPU, is_other_machine=True)
    assert any("the other machine needs is not known" in line for line in told)
    assert not any("CPU target" in line for line in told)


def test_little_headroom_is_within_what_an_autoscaler_ignores() -> None:
    tight = plan_deployment(replica(), Demand(300, headroom=0.05))
    assert any("less than 10 % of headroom" in line for line in advice(tight, replica()))


def test_one_replica_is_the_fewest_and_the_most() -> None:
    spec = parsed(autoscaler_by_streams(plan_deployment(replica(), Demand(1))))["spec"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (1, 1)
