"""What `stt-load size` prints for a cluster, held against the schemas of the APIs that are to take it."""

from __future__ import annotations

from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from custom_resources import SCALED_OBJECT
from sized import CPU, replica

from stt_load.sizing.deployment import Demand, plan_deployment
from stt_load.sizing.manifests import autoscaler_by_cpu, autoscaler_by_streams, keda_by_streams, resources
from stt_load.sizing.replica import Replica

API_VERSIONS = ("1.37", "1.30")
DEMANDS = [Demand(1), Demand(300, headroom=0.2, duty=0.6), Demand(1_000_000, headroom=0.5)]
ON_GPU = replica(cpu=CPU)
ON_CPU = replica(gpus=None, cpu=CPU)


def parsed(text: str | None) -> Any:
    assert text is not None
    return yaml.safe_load(text)


def check(manifest: dict[str, Any]) -> None:
    for version in API_VERSIONS:
        kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("demand", DEMANDS, ids=["one caller", "300", "a million"])
def test_the_api_takes_both_autoscalers(demand: Demand) -> None:
    check(parsed(autoscaler_by_streams(plan_deployment(ON_GPU, demand))))
    check(parsed(autoscaler_by_cpu(plan_deployment(ON_CPU, demand), ON_CPU)))


@pytest.mark.parametrize("demand", DEMANDS, ids=["one caller", "300", "a million"])
def test_keda_takes_the_scaled_object_and_the_api_what_keda_makes_of_it(demand: Demand) -> None:
    deployment = plan_deployment(ON_GPU, demand)
    scaled = parsed(keda_by_streams(deployment))
    jsonschema.validate(scaled, SCALED_OBJECT)
    assert scaled["spec"]["minReplicaCount"] <= scaled["spec"]["maxReplicaCount"]  # a rule of its definition
    autoscaler = parsed(autoscaler_by_streams(deployment))
    autoscaler["spec"]["behavior"] = scaled["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    check(autoscaler)


@pytest.mark.parametrize("one", [ON_GPU, ON_CPU], ids=["GPU", "CPU"])
def test_the_api_takes_requests_and_limits(one: Replica) -> None:
    container = {"name": "stt-server", "image": "stt-server", **parsed(resources(one))}
    check({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": {"containers": [container]}})
