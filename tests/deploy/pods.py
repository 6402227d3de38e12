"""The manifests as kubectl renders them, and their pods as processes of this machine.

A pod gets what a kubelet gives it, as far as the kernel can without a container: the environment of its manifest and
nothing else, process 1 of a PID namespace, a root file system that is read-only but for its volumes, no capability, and
the names of its Services. Addresses are those of the loopback interface.
"""

from __future__ import annotations

import copy
import json
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from runs import REPOSITORY, Run, wait_for

MANIFESTS = REPOSITORY / "deploy" / "kubernetes"
FOLDERS = ("setup", "ladder", "find", "web-ui", "bench", "stress", "results", "sidecar", "locust-operator")
CONTAINER = "stt-load"
_OLDEST_KUSTOMIZE = (5, 5)  # of kubectl 1.32
_NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private"]
_SET_UP = """\
set -eu
mount --bind "$1" /etc/hosts; shift
while [ "$1" != -- ]; do mount --bind "$1" "$1"; shift; done; shift
mount -o remount,bind,ro /
exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all "$@"
"""

Manifest = dict[str, Any]


def render(folder: str) -> list[Manifest]:
    """Everything that `kubectl apply -k deploy/kubernetes/FOLDER` would apply."""
    return copy.deepcopy(_render(folder))


@cache
def _render(folder: str) -> list[Manifest]:
    return render_path(MANIFESTS / folder)


def render_path(path: Path) -> list[Manifest]:
    """The same of a folder somewhere else."""
    done = subprocess.run([_kubectl(), "kustomize", path], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@cache
def _kubectl() -> str:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is missing: it renders the manifests")
    told = subprocess.run([kubectl, "version", "--client", "-o", "json"], capture_output=True, timeout=60, check=True)
    version = json.loads(told.stdout).get("kustomizeVersion", "v0.0")
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < _OLDEST_KUSTOMIZE:
        pytest.skip(f"kubectl has kustomize {version}: it is too old")
    return kubectl


def of_kind(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] == kind]


def pod_templates(manifests: Sequence[Manifest]) -> Iterator[tuple[str, Manifest]]:
    """The pods that these manifests make: name of the workload, and metadata with spec of its pods."""
    for manifest in manifests:
        if manifest["kind"] == "Pod":
            yield manifest["metadata"]["name"], manifest
        elif "template" in manifest.get("spec", {}):
            yield manifest["metadata"]["name"], manifest["spec"]["template"]


def container_of(template: Manifest) -> Manifest:
    (container,) = template["spec"]["containers"]
    return container


@dataclass(frozen=True)
class Node:
    """Where pods run: what the cluster has beside the manifests.

    `ip`: of every pod. `values` replace those of ConfigMaps. `folder` has the volumes.
    """

    folder: Path
    ip: str
    secrets: Mapping[str, Mapping[str, str]]
    values: Mapping[str, str] = field(default_factory=dict)

    def start(self, manifests: Sequence[Manifest], workload: str) -> Pod:
        """A pod of this workload."""
        container = container_of(dict(pod_templates(manifests))[workload])
        environment = self._environment(manifests, container)
        words = [_expand(word, environment) for word in (*container["command"], *container.get("args", ()))]
        volumes = [self._here(path) for path in ("/results", "/tmp")]
        for volume in volumes:
            Path(volume).mkdir(exist_ok=True)
        hosts = self.folder / "hosts"
        hosts.write_text(f"127.0.0.1 localhost\n{self.ip} stt-load-master\n", encoding="utf-8")
        locustfiles = self.folder / "locustfiles"
        if not locustfiles.exists():  # in the working folder, as in the image
            locustfiles.symlink_to(REPOSITORY / "locustfiles")
        image = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "PYTHONUNBUFFERED": "1",
            "STT_LOAD_CACHE": str(self.folder / "cache"),
            "TMPDIR": self._here("/tmp"),
        }
        given = [f"{name}={value}" for name, value in {**image, **environment}.items()]
        set_up = ["sh", "-c", _SET_UP, "sh", str(hosts), *volumes, "--"]
        return Pod([*_NAMESPACES, *set_up, "env", "-i", *given, *words], self.folder)

    def _environment(self, manifests: Sequence[Manifest], container: Manifest) -> dict[str, str]:
        maps = {each["metadata"]["name"]: {**each["data"]} for each in of_kind(manifests, "ConfigMap")}
        for data in maps.values():
            data.update(self.values)
        environment: dict[str, str] = {}
        for source in container.get("envFrom", ()):
            known, reference = (
                (maps, source["configMapRef"]) if "configMapRef" in source else (self.secrets, source["secretRef"])
            )
            environment |= {} if reference.get("optional") else known[reference["name"]]
        for entry in container.get("env", ()):
            value = self._here(entry["value"]) if "value" in entry else self._value(maps, entry["valueFrom"])
            if value is not None:
                environment[entry["name"]] = value
        return environment

    def _value(self, maps: Mapping[str, Mapping[str, str]], source: Manifest) -> str | None:
        if "fieldRef" in source:
            assert source["fieldRef"]["fieldPath"] == "status.podIP"
            return self.ip
        known, reference = (
            (maps, source["configMapKeyRef"]) if "configMapKeyRef" in source else (self.secrets, source["secretKeyRef"])
        )
        value = known.get(reference["name"], {}).get(reference["key"])
        assert value is not None or reference.get("optional"), f"the pod would wait for {reference}"
        return value

    def _here(self, text: str) -> str:
        """A path in the container as one of this machine."""
        for inside, outside in (("/results", "results"), ("/tmp", "scratch")):
            if text == inside or text.startswith(f"{inside}/"):
                return str(self.folder / outside) + text.removeprefix(inside)
        return text


class Pod(Run):
    """The process of a pod, and `unshare` above it."""

    def delete(self) -> None:
        """What `kubectl delete` does first."""
        wait_for(lambda: bool(self.children()), "the pod to start", self)
        first, *_ = psutil.Process(self.process.pid).children()
        first.send_signal(signal.SIGTERM)


def can_make_pods() -> bool:
    """Whether this user may make namespaces."""
    if shutil.which("unshare") is None or shutil.which("setpriv") is None:
        return False
    tried = subprocess.run([*_NAMESPACES, "mount", "-o", "remount,bind,ro", "/"], capture_output=True, check=False)
    return tried.returncode == 0


def _expand(word: str, environment: Mapping[str, str]) -> str:
    """`$(NAME)` as the kubelet replaces it."""
    return re.sub(r"\$\((\w+)\)", lambda found: environment[found[1]], word)
