"""The Compose files and the Dockerfile: what they name exists, and each container has no more rights than it needs."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.resources import files as files_of
from socket import create_connection, create_server, socket
from typing import Any

import pytest
from compose_files import CHECKOUT, CLUSTER, SIDECAR, compose_file, health_check, line_of, replaced, services
from jsonschema import Draft202012Validator
from ports import free_port

from stt_load.options import OPTIONS

DOCKERFILE = (CHECKOUT / "Dockerfile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EVERY_SERVICE = [(file, name) for file in (CLUSTER, SIDECAR) for name in services(file)]
STAYING = [(file, name) for file, name in EVERY_SERVICE if name != "ladder"]
PATIENCE_S = 60.0


@pytest.mark.parametrize("file", [CLUSTER, SIDECAR])
def test_the_file_is_one_of_the_compose_specification(file: str) -> None:
    schema = json.loads(
        (files_of("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text(encoding="utf-8")
    )
    assert [error.message for error in Draft202012Validator(schema).iter_errors(compose_file(file))] == []


@pytest.mark.parametrize(("file", "name"), EVERY_SERVICE)
def test_a_container_can_write_nothing_of_its_image_and_gain_no_right(file: str, name: str) -> None:
    service = services(file)[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    if file == CLUSTER:
        assert service["user"] == "${STT_LOAD_UID:-1000}:${STT_LOAD_GID:-1000}"
        assert "cap_add" not in service
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_the_images_run_as_a_user_that_kubernetes_sees_is_not_root() -> None:
    *_, worker, every_role = re.split(r"(?m)^FROM ", DOCKERFILE)
    assert re.findall(r"(?m)^USER (.*)$", worker) == ["1000:1000"]
    assert every_role.startswith("worker\n") and "USER" not in every_role


@pytest.mark.parametrize(("file", "name"), STAYING)
def test_a_health_check_tells_a_service_that_answers_from_one_that_does_not(file: str, name: str) -> None:
    if name == "worker":
        with create_server(("127.0.0.1", 0)) as master:
            port = master.getsockname()[1]
            line = replaced(health_check(name), {"15B5": f"{port:04X}"})
            assert subprocess.run(line, timeout=PATIENCE_S).returncode != 0
            with create_connection(master.getsockname()):
                assert subprocess.run(line, timeout=PATIENCE_S).returncode == 0
        return
    path, seen = {"master": "/worker-count"}.get(name, "/healthz"), []
    for status in (200, 403, 503):
        with answering(status, seen) as port:
            line = moved(health_check(name, file), port)
            is_healthy = subprocess.run(line, env={"GPU_SIDECAR_TOKEN": "a-token"}, timeout=PATIENCE_S).returncode == 0
            assert is_healthy == (status == 200)
    assert subprocess.run(moved(line, free_port()), capture_output=True, timeout=PATIENCE_S).returncode != 0
    token = "Bearer a-token" if name == "gpu-sidecar" else None
    assert seen == [(path, token)] * 3


def moved(line: list[str], port: int) -> list[str]:
    """The line with another port of 127.0.0.1."""
    return [re.sub(r"/dev/tcp/127\.0\.0\.1/\d+", f"/dev/tcp/127.0.0.1/{port}", word) for word in line]


@contextmanager
def answering(status: int, seen: list[tuple[str, str | None]]) -> Iterator[int]:
    """The port of a server that gives that answer. `seen`: path and token of each request."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Authorization"]))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_a_worker_starts_when_its_master_listens_and_not_before() -> None:
    with socket() as master:
        master.bind(("127.0.0.1", 0))
        here = {
            "/dev/tcp/master/5557": f"/dev/tcp/127.0.0.1/{master.getsockname()[1]}",
            "exec locust --worker --master-host master": "echo started",
        }
        with subprocess.Popen(replaced(line_of("worker"), here), stdout=subprocess.PIPE) as worker:
            try:
                with pytest.raises(subprocess.TimeoutExpired):
                    worker.wait(timeout=0.5)
                master.listen()
                assert worker.communicate(timeout=PATIENCE_S)[0] == b"started\n"
            finally:
                worker.kill()
    # Compose stops first what depends on others: a run that is aborted so still has its workers.
    assert "worker" in services()["master"]["depends_on"]
    assert "depends_on" not in services()["worker"]


def test_every_variable_that_is_set_is_read_by_something() -> None:
    files = [file for room in ("stt_load", "gpu_sidecar") for file in (CHECKOUT / room).rglob("*.py")]
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files)
    read = {option.env_var for option in OPTIONS} | set(re.findall(r'"((?:STT_LOAD|GPU_SIDECAR)_[A-Z_]+)"', sources))
    # Locust's own, our command lines', Python's and the driver's.
    read |= {"LOCUST_LOCUSTFILE", "SIDECAR_OPTIONS", "PYTHONUNBUFFERED", "NVIDIA_DRIVER_CAPABILITIES"}
    given = {variable for file, name in EVERY_SERVICE for variable in environment(services(file)[name])}
    given |= set(re.findall(r"(?m)^(?:ENV|   ) *([A-Z_]+)=", DOCKERFILE))
    assert given - read == set()
    assert all((CHECKOUT / file).is_file() for file in re.findall(r"locustfiles/\w+\.py", str(services())))


def test_a_worker_shows_what_its_master_shows() -> None:
    """Keys and headers are compared as a worker joins."""
    master, worker = (environment(services()[name]) for name in ("master", "worker"))
    assert worker.items() <= master.items()
    secrets = {option.env_var for option in OPTIONS if option.is_secret and option.env_var in master}
    assert secrets <= worker.keys()


def environment(service: dict[str, Any]) -> dict[str, str]:
    return dict(service.get("environment", {}))


def test_volumes_are_where_the_images_keep_things() -> None:
    kept = dict(re.findall(r"(STT_LOAD_(?:CACHE|DATA))=(\S+)", DOCKERFILE))
    (folder,) = re.findall(r"(?m)^WORKDIR (.*)$", DOCKERFILE)
    places = {
        "cache": kept["STT_LOAD_CACHE"],
        "data": kept["STT_LOAD_DATA"],
        "./results": f"{folder}/{environment(services()['master'])['STT_LOAD_RESULTS']}",
    }
    mounted = [volume for service in services().values() for volume in service.get("volumes", [])]
    assert {volume.partition(":")[0] for volume in mounted} == places.keys()
    assert [v for v in mounted if v.removesuffix(":ro") != f"{v.partition(':')[0]}:{places[v.partition(':')[0]]}"] == []
    assert compose_file(CLUSTER)["volumes"].keys() | {"./results"} == places.keys()


def test_each_image_is_built_from_a_target_of_its_own() -> None:
    targets = re.findall(r"(?m)^FROM \S+ AS (\S+)$", DOCKERFILE)
    images = {service["image"]: service["build"] for service in services().values()}
    assert images == {"stt-load": ".", "stt-load-worker": {"context": ".", "target": "worker"}}
    assert "worker" in targets
    extras = ",".join(re.findall(r"EXTRAS=([\w,]+)", DOCKERFILE)).split(",")
    assert set(extras) <= PROJECT["optional-dependencies"].keys()


def test_the_build_gets_all_that_it_copies_and_nothing_that_is_private() -> None:
    rules = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert rules[1] == "*"
    let_in = [rule.removeprefix("!") for rule in rules if rule.startswith("!")]
    assert all((CHECKOUT / path).exists() for path in let_in)
    copied = [path for path in re.findall(r"(?m)^COPY (?!--)(\S+)", DOCKERFILE) if path != "."]
    packaging = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    wheel = packaging["targets"]["wheel"]
    needed = [*copied, "pyproject.toml", "constraints.txt", "README.md", *PROJECT["license-files"], *wheel["packages"]]
    needed += wheel["force-include"]
    assert [path for path in needed if not any(fnmatch(path, rule) for rule in let_in)] == []
