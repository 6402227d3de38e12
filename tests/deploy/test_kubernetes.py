"""The manifests: every object is one that the API takes, and every pod is closed, as far as manifests can tell."""

from __future__ import annotations

import importlib.util
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from custom_resources import LOCUST_TEST
from pods import (
    CONTAINER,
    FOLDERS,
    MANIFESTS,
    Manifest,
    container_of,
    of_kind,
    pod_templates,
    render,
    render_path,
)
from runs import REPOSITORY

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE, SIDECAR_TOKEN_VARIABLE
from stt_load.locust_plugin.request_origin import HOSTS_VARIABLE
from stt_load.options import OPTIONS

pytestmark = pytest.mark.slow

# The newest API and one of the oldest that clusters still serve.
API_VERSIONS = ("1.37", "1.30")
COMPONENT = "app.kubernetes.io/component"
GUIDE = (REPOSITORY / "docs" / "kubernetes.md").read_text(encoding="utf-8")


def test_the_folders_are_those_that_can_be_applied() -> None:
    kustomizations = MANIFESTS.rglob("kustomization.yaml")
    kinds = {path.parent.name: yaml.safe_load(path.read_text(encoding="utf-8"))["kind"] for path in kustomizations}
    applied = {name for name, kind in kinds.items() if kind == "Kustomization"} - {"base"}
    assert applied == set(FOLDERS)
    assert {name for name in FOLDERS if f"deploy/kubernetes/{name}" in GUIDE} == set(FOLDERS)
    assert all((REPOSITORY / path).exists() for path in re.findall(r"deploy/kubernetes[\w/.-]*\w", GUIDE))


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_api_takes_every_object(folder: str) -> None:
    for manifest in render(folder):
        if manifest["kind"] == "LocustTest":
            jsonschema.validate(manifest, LOCUST_TEST)
            continue
        for version in API_VERSIONS:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_field_that_the_api_does_not_know_is_found() -> None:
    (master, _) = of_kind(render("ladder"), "Job")
    container_of(master["spec"]["template"])["readOnlyRootFileSystem"] = True
    with pytest.raises(kubernetes_validate.ValidationError, match="readOnlyRootFileSystem"):
        kubernetes_validate.validate(master, API_VERSIONS[0], strict=True)


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder not in ("setup", "locust-operator")])
def test_pods_meet_the_restricted_standard_and_write_to_their_volumes_only(folder: str) -> None:
    for _, template in pod_templates(render(folder)):
        spec, container = template["spec"], container_of(template)
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["runAsUser"] > 0
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostPID", "hostNetwork", "hostIPC"} & spec.keys()
        assert all(volume.keys() & {"emptyDir", "persistentVolumeClaim"} for volume in spec.get("volumes", ()))
        assert {mount["name"] for mount in container["volumeMounts"]} == {each["name"] for each in spec["volumes"]}
        assert container["name"] == CONTAINER
        assert container["resources"]["requests"].keys() == container["resources"]["limits"].keys() == {"cpu", "memory"}


def test_pods_and_templates_of_pods_are_closed_in_the_same_way() -> None:
    pod, template = (
        yaml.safe_load((MANIFESTS / "restricted" / name).read_text(encoding="utf-8"))["spec"]
        for name in ("pod.yaml", "pod-template.yaml")
    )
    assert template["template"]["spec"] == pod


@pytest.mark.parametrize("folder", ["ladder", "find", "bench", "stress"])
def test_a_run_that_failed_is_not_run_again_and_has_time_for_its_report(folder: str) -> None:
    manifests = render(folder)
    assert all(job["spec"]["backoffLimit"] == 0 for job in of_kind(manifests, "Job"))
    for name, template in pod_templates(manifests):
        assert template["spec"]["restartPolicy"] == "Never"
        assert template["spec"]["terminationGracePeriodSeconds"] >= 60, name
        assert "livenessProbe" not in container_of(template)


@pytest.mark.parametrize(
    ("folder", "workload"),
    [("bench", "stt-load-bench"), ("stress", "stt-load-bench"), ("ladder", "stt-load-worker")],
)
def test_what_measures_has_cores_of_its_own(folder: str, workload: str) -> None:
    resources = container_of(dict(pod_templates(render(folder)))[workload])["resources"]
    assert resources["requests"] == resources["limits"]
    assert int(resources["limits"]["cpu"]) >= 1


def test_every_variable_is_one_that_somebody_reads() -> None:
    """A misspelt one would be left out without a word."""
    text = "".join(yaml.safe_dump_all(render(folder)) for folder in FOLDERS)
    used_here = set(re.findall(r"key: (\w+)", text)) | set(re.findall(r"\$\((\w+)\)", text))
    ours = {option.env_var for option in OPTIONS} | {"STT_LOAD_DATA", HOSTS_VARIABLE}
    ours |= {CLUSTER_TOKEN_VARIABLE, SIDECAR_TOKEN_VARIABLE}
    of_locust = set(re.findall(r'env_var="(\w+)"', locusts_parser()))
    of_nvidia = {"NVIDIA_VISIBLE_DEVICES", "NVIDIA_DRIVER_CAPABILITIES"}
    assert set(variables()) <= ours | of_locust | of_nvidia | used_here


def test_what_a_pod_refers_to_is_there() -> None:
    """Else it would never start: ConfigMaps of the same folder, Secrets and the volume as the guide makes them."""
    for folder in FOLDERS:
        maps = {each["metadata"]["name"]: each["data"] for each in of_kind(render(folder), "ConfigMap")}
        for _, template in pod_templates(render(folder)):
            container = container_of(template)
            sources = [*container.get("envFrom", ()), *(each.get("valueFrom", {}) for each in container.get("env", ()))]
            for kind, reference in (item for source in sources for item in source.items()):
                if kind.startswith("configMap"):
                    assert reference.get("key", "") in {"", *maps[reference["name"]]}
                elif kind.startswith("secret"):
                    assert (
                        f"create secret generic {reference['name']} --from-literal={reference.get('key', '')}" in GUIDE
                    )
            claims = [each["persistentVolumeClaim"] for each in template["spec"]["volumes"] if "emptyDir" not in each]
            (volume,) = of_kind(render("setup"), "PersistentVolumeClaim")
            assert all(claim == {"claimName": volume["metadata"]["name"]} for claim in claims)


def variables() -> Iterator[str]:
    for manifest in (each for folder in FOLDERS for each in render(folder)):
        if manifest["kind"] == "ConfigMap":
            yield from manifest["data"]
        elif manifest["kind"] == "LocustTest":
            yield from (entry["name"] for entry in manifest["spec"]["env"])
        for _, template in pod_templates([manifest]):
            yield from (entry["name"] for entry in container_of(template).get("env", ()))


def locusts_parser() -> str:
    """The text of Locust's parser: to import it would patch this process."""
    found = importlib.util.find_spec("locust")
    assert found is not None and found.origin is not None
    return (Path(found.origin).parent / "argument_parser.py").read_text(encoding="utf-8")


def test_who_may_reach_which_port() -> None:
    """The policies of all folders together, since policies add up."""
    policies = [policy for folder in FOLDERS for policy in of_kind(render(folder), "NetworkPolicy")]
    roles = sorted({label for folder in FOLDERS for label in components(render(folder))})
    sources = {role: labels_of(role) for role in roles} | {"proxy": {"stt-load-web-ui": "allowed"}}
    allowed = {
        (source, target, port)
        for source, labels in sources.items()
        for target in roles
        for port in (5557, 8089, 9550, 9646)
        if may_reach(policies, labels, labels_of(target), port)
    }
    assert allowed == {
        ("worker", "master", 5557),
        ("proxy", "master", 8089),
        ("master", "gpu-sidecar", 9550),
        ("bench", "gpu-sidecar", 9550),
    }
    stranger = {"app.kubernetes.io/name": "another"}
    assert not any(may_reach(policies, stranger, labels_of(role), port) for role in roles for port in (5557, 8089))
    assert may_reach(policies, stranger, {"app.kubernetes.io/name": "stt-server"}, 8000)  # the server is left alone


def components(manifests: Sequence[Manifest]) -> set[str]:
    return {template["metadata"]["labels"][COMPONENT] for _, template in pod_templates(manifests)}


def labels_of(component: str) -> dict[str, str]:
    return {"app.kubernetes.io/name": "stt-load", COMPONENT: component}


def may_reach(policies: Sequence[Manifest], source: Mapping[str, str], target: Mapping[str, str], port: int) -> bool:
    """Whether a pod with labels `source` reaches one with labels `target`, both in the namespace of the policies."""
    binding = [policy["spec"] for policy in policies if selects(policy["spec"]["podSelector"], target)]
    return not binding or any(
        any(entry["port"] == port for entry in rule["ports"])
        and any("podSelector" in peer and selects(peer["podSelector"], source) for peer in rule["from"])
        for spec in binding
        for rule in spec.get("ingress", ())
    )


def selects(selector: Manifest, labels: Mapping[str, str]) -> bool:
    return all(labels.get(name) == value for name, value in selector.get("matchLabels", {}).items()) and all(
        rule["operator"] == "In" and labels.get(rule["key"]) in rule["values"]
        for rule in selector.get("matchExpressions", ())
    )


@pytest.mark.parametrize("folder", ["ladder", "find", "web-ui", "sidecar"])
def test_a_service_leads_to_a_port_of_its_pods(folder: str) -> None:
    manifests = render(folder)
    (service,) = of_kind(manifests, "Service")
    (port,) = service["spec"]["ports"]
    targets = [
        template
        for _, template in pod_templates(manifests)
        if selects({"matchLabels": service["spec"]["selector"]}, template["metadata"]["labels"])
    ]
    assert len(targets) == 1
    ports = container_of(targets[0])["ports"]
    assert {"name": port["targetPort"], "containerPort": port["port"]} in ports
    assert container_of(targets[0])["readinessProbe"] == {"tcpSocket": {"port": port["targetPort"]}}


def test_what_a_person_changes_stands_in_one_file(tmp_path: Path) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "kubernetes")
    values = tmp_path / "kubernetes" / "values" / "kustomization.yaml"
    changed = values.read_text(encoding="utf-8")
    for before, after in (
        ("namespace: stt-load", "namespace: speech"),
        ("newTag: latest", "newTag: 1.2.3"),
        ("newName: ", "newName: registry.example/"),
        ("WORKERS=2", "WORKERS=7"),
        ("ws://stt-server:8000/ws", "wss://stt.example/ws"),
        ("eos_latency:p95<800ms", "wer<8%"),
    ):
        assert before in changed
        changed = changed.replace(before, after)
    values.write_text(changed, encoding="utf-8")
    for folder in FOLDERS:
        text = yaml.safe_dump_all(render_path(tmp_path / "kubernetes" / folder))
        assert not re.search(r"namespace: stt-load$|latest|ws://stt-server|800ms", text, re.MULTILINE), folder
        assert set(re.findall(r"image: (\S+?)/", text)) <= {"registry.example"}
    ladder, web_ui, operator = (
        render_path(tmp_path / "kubernetes" / name) for name in ("ladder", "web-ui", "locust-operator")
    )
    worker = {each["metadata"]["name"]: each["spec"] for each in of_kind(ladder, "Job")}["stt-load-worker"]
    assert (worker["completions"], worker["parallelism"]) == (7, 7)
    replicas = {each["metadata"]["name"]: each["spec"]["replicas"] for each in of_kind(web_ui, "Deployment")}
    assert replicas == {"stt-load-master": 1, "stt-load-worker": 7}
    (test,) = of_kind(operator, "LocustTest")
    environment = {entry["name"]: entry["value"] for entry in test["spec"]["env"]}
    assert (test["spec"]["workers"], environment["LOCUST_EXPECT_WORKERS"]) == (7, "7")
    assert environment["STT_LOAD_WEB_ALLOWED_HOSTS"] == "ladder-webui.speech.svc.cluster.local"
    assert (environment["STT_LOAD_STT_URL"], environment["STT_LOAD_SLO"]) == (
        "wss://stt.example/ws",
        "wer<8%,error_rate<1%",
    )


def test_the_sidecar_can_be_shown_the_processes_of_its_node(tmp_path: Path) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "kubernetes")
    choice = tmp_path / "kubernetes" / "sidecar" / "kustomization.yaml"
    text = choice.read_text(encoding="utf-8")
    assert "  # - host-processes" in text
    choice.write_text(text.replace("  # - host-processes", "  - host-processes"), encoding="utf-8")
    ((_, template),) = pod_templates(render_path(choice.parent))
    assert template["spec"]["hostPID"] is True
    assert template["spec"]["securityContext"]["runAsNonRoot"] is True
