"""Schemas of the resources that are not Kubernetes' own, with the fields that their operators read and no other.

Sources: `locust.io/v1` LocustTest, custom resource definition and code of github.com/locustio/k8s-operator 0.1.6
(commit 6b50cad); `keda.sh/v1alpha1` ScaledObject, custom resource definition of github.com/kedacore/keda 2.20 with the
metadata that its Prometheus scaler takes.
"""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_TEXTS: Schema = {"type": "object", "additionalProperties": _TEXT}
_QUANTITIES: Schema = {"type": "object", "additionalProperties": {"type": ["string", "integer"]}}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _resource(api_version: str, kind: str, spec: Schema) -> Schema:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": api_version},
        kind={"const": kind},
        metadata={"type": "object", "required": ["name"]},
        spec=spec,
    )


def _count(least: int) -> Schema:
    return {"type": "integer", "minimum": least}


_ROLE = _object(labels=_TEXTS, annotations=_TEXTS, resources=_object(requests=_QUANTITIES, limits=_QUANTITIES))

# `locustfile` is required here: without it the operator mounts a volume that has no name.
LOCUST_TEST = _resource(
    "locust.io/v1",
    "LocustTest",
    _object(
        ("workers", "image", "locustfile"),
        annotations=_TEXTS,
        labels=_TEXTS,
        image=_TEXT,
        imagePullPolicy={"enum": ["IfNotPresent", "Always", "Never"]},
        imagePullSecrets={"type": "array", "items": _object(("name",), name=_TEXT)},
        workers=_count(1),
        args=_TEXT,
        env={"type": "array", "items": _object(("name", "value"), name=_TEXT, value=_TEXT)},
        master=_ROLE,
        worker=_ROLE,
        locustfile={
            "oneOf": [
                _object(("content",), content=_TEXT),
                _object(("configMap",), configMap=_object(("name",), name=_TEXT)),
            ]
        },
        metrics=_object(intervalSeconds={"type": "integer"}),
    ),
)

_NEEDED_METADATA = ("serverAddress", "query", "threshold")
_OPTIONAL_METADATA = ("activationThreshold", "namespace", "ignoreNullValues", "unsafeSsl", "timeout")

# `behavior` is that of an HPA, whose own schema it is to be held against.
SCALED_OBJECT = _resource(
    "keda.sh/v1alpha1",
    "ScaledObject",
    _object(
        ("scaleTargetRef", "triggers"),
        scaleTargetRef=_object(("name",), apiVersion=_TEXT, kind=_TEXT, name=_TEXT, envSourceContainerName=_TEXT),
        minReplicaCount=_count(0),
        maxReplicaCount=_count(1),
        idleReplicaCount=_count(0),
        pollingInterval=_count(1),
        cooldownPeriod=_count(0),
        advanced=_object(
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=_object(name=_TEXT, behavior={"type": "object"}),
        ),
        triggers={
            "type": "array",
            "minItems": 1,
            "items": _object(
                ("type", "metadata"),
                type={"const": "prometheus"},
                name=_TEXT,
                metricType={"enum": ["AverageValue", "Value"]},
                metadata=_object(_NEEDED_METADATA, **dict.fromkeys((*_NEEDED_METADATA, *_OPTIONAL_METADATA), _TEXT)),
            ),
        },
    ),
)
