"""Kubernetes manifests for a deployment, as YAML text to copy.

Sources: HorizontalPodAutoscaler `autoscaling/v2` (its JSON schema of Kubernetes 1.37), KEDA's ScaledObject with its
Prometheus scaler (keda.sh/docs), quality-of-service classes (kubernetes.io/docs/concepts/workloads/pods/pod-qos).
"""

from __future__ import annotations

import math
from textwrap import indent

from stt_load.sizing.deployment import Deployment
from stt_load.sizing.replica import Replica, ServerCpu

NAME = "stt-server"
STREAMS_METRIC = "stt_active_streams"
_PROMETHEUS = "http://prometheus.monitoring:9090"
_MEMORY_RESERVE = 1.25
_MEMORY_STEP_MIB = 64
_HPA_TOLERANCE = 0.1

# Conservative down, fast up: a caller who is cut off costs more than a pod that idles for some minutes.
_BEHAVIOR = """\
behavior:
  scaleDown:
    stabilizationWindowSeconds: 300
    policies:
      - type: Percent
        value: 25
        periodSeconds: 60
  scaleUp:
    stabilizationWindowSeconds: 0
    policies:
      - type: Pods
        value: 2
        periodSeconds: 30
"""


def autoscaler_by_streams(deployment: Deployment) -> str:
    """An HPA on the gauge of the pods' own streams, which an adapter must serve as a custom metric."""
    return _autoscaler(
        deployment,
        f"""\
- type: Pods
  pods:
    metric:
      name: {STREAMS_METRIC}
    target:
      type: AverageValue
      averageValue: "{_quantity(deployment.planned_at_once)}"
""",
    )


def autoscaler_by_cpu(deployment: Deployment, replica: Replica) -> str | None:
    """An HPA on CPU; None where the server's CPU was not sampled, or a GPU did the work."""
    target = cpu_target_pct(deployment, replica)
    if target is None:
        return None
    return _autoscaler(
        deployment,
        f"""\
- type: Resource
  resource:
    name: cpu
    target:
      type: Utilization
      averageUtilization: {target}
""",
    )


def keda_by_streams(deployment: Deployment) -> str:
    """A ScaledObject that does the same from Prometheus, without an adapter."""
    return f"""\
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {NAME}
spec:
  scaleTargetRef:
    name: {NAME}
  minReplicaCount: {_fewest(deployment)}
  maxReplicaCount: {deployment.replicas}
  advanced:
    horizontalPodAutoscalerConfig:
{indent(_BEHAVIOR, "      ")}\
  triggers:
    - type: prometheus
      metricType: AverageValue
      metadata:
        serverAddress: {_PROMETHEUS}
        query: sum({STREAMS_METRIC})
        threshold: "{deployment.planned_at_once:.6g}"
"""


def resources(replica: Replica) -> str | None:
    """Requests and limits of the container; None where the server's CPU was not sampled.

    Both are the same, so that the pod's quality of service is Guaranteed.
    """
    cpu = replica.cpu
    if cpu is None or cpu.memory_peak_mib is None:
        return None
    memory_mib = math.ceil(cpu.memory_peak_mib * _MEMORY_RESERVE / _MEMORY_STEP_MIB) * _MEMORY_STEP_MIB
    values = [f'cpu: "{_quantity(requested_cores(cpu))}"', f"memory: {memory_mib}Mi"]
    if replica.gpus:
        values.append(f'nvidia.com/gpu: "{math.ceil(replica.gpus)}"')
    block = "".join(f"  {value}\n" for value in values)
    return f"resources:\n{indent(f'requests:{chr(10)}{block}limits:{chr(10)}{block}', '  ')}"


def requested_cores(cpu: ServerCpu) -> float:
    """Cores for the container: its limit in the test, which K belongs to; else what it used in 95 % of the hold, in
    whole cores, which the kubelet's static policy can give it for its own."""
    return cpu.limit_cores or max(1, math.ceil(cpu.cores_p95 - 1e-6))


def cpu_target_pct(deployment: Deployment, replica: Replica) -> int | None:
    """CPU utilisation, in percent of the request, at the planned load; None where it says nothing of the load."""
    if replica.cpu is None or replica.gpus:
        return None
    share = replica.cpu.cores_mean / requested_cores(replica.cpu) * (1 - deployment.demand.headroom)
    return max(1, math.floor(100 * share))


def advice(deployment: Deployment, replica: Replica, *, is_other_machine: bool = False) -> list[str]:
    """What to know about these manifests, a line each. `is_other_machine`: they are for one that the run was not on."""
    connected = "callers who are connected" if replica.is_paced else "requests in flight"
    lines = [
        f"`{STREAMS_METRIC}` is a gauge of your server: the number of {connected}, by pod. Put its own name there. An "
        "HPA reads it through an adapter for custom metrics (prometheus-adapter, for example), KEDA from Prometheus "
        f"itself: put your address for {_PROMETHEUS}."
    ]
    duty = replica.duty if deployment.demand.duty is None else deployment.demand.duty
    if duty is not None:
        lines.append(
            f"Where that gauge counts only those who send audio at the moment, the target is "
            f"{deployment.planned_at_once * duty:.3g} in place of {deployment.planned_at_once:.3g}."
        )
    lines.append(
        "Pods go slowly (25 % in 60 s, after 5 minutes of less load) and come fast (2 in 30 s). A pod that goes cuts "
        "the calls it has: let it finish them (terminationGracePeriodSeconds as long as a call)."
    )
    if deployment.demand.headroom < _HPA_TOLERANCE:
        lines.append(
            "An HPA does nothing within 10 % of its target: with less than 10 % of headroom pods may be full before "
            "another one comes."
        )
    if is_other_machine:
        lines.append("No target for CPU, no requests and limits: how much CPU the other machine needs is not known.")
    elif replica.cpu is None:
        lines.append(
            "No target for CPU, no requests and limits: the run has no figures of the server's processes. Run it with "
            "--gpu-sidecar."
        )
    elif replica.gpus:
        lines.append("No target for CPU: a GPU does the work, and the CPU says little of the load.")
    else:
        lines.append("The CPU target is what the server used at its full load in the test, less the headroom.")
    return lines


def _autoscaler(deployment: Deployment, metric: str) -> str:
    return f"""\
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {NAME}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {NAME}
  minReplicas: {_fewest(deployment)}
  maxReplicas: {deployment.replicas}
  metrics:
{indent(metric, "    ")}\
{indent(_BEHAVIOR, "  ")}"""


def _fewest(deployment: Deployment) -> int:
    """Two, so that callers have a place to go to where a pod is lost."""
    return min(2, deployment.replicas)


def _quantity(value: float) -> str:
    """A number as Kubernetes writes it: whole, or in thousandths (`21600m`), rounded down."""
    thousandths = max(1, math.floor(value * 1000 + 1e-6))
    return f"{thousandths}m" if thousandths % 1000 else str(thousandths // 1000)
