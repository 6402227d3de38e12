"""The Compose files of this project, and the lines of their services as processes of this machine."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
CLUSTER = "docker-compose.yml"
SIDECAR = "deploy/gpu-sidecar.compose.yml"


def compose_file(name: str) -> dict[str, Any]:
    return dict(yaml.safe_load((CHECKOUT / name).read_text(encoding="utf-8")))


def services(name: str = CLUSTER) -> dict[str, dict[str, Any]]:
    return dict(compose_file(name)["services"])


def line_of(service: str) -> list[str]:
    """What the service's container runs."""
    return words(services()[service].get("entrypoint", [])) + words(services()[service].get("command", []))


def health_check(service: str, name: str = CLUSTER) -> list[str]:
    """The line of a service's health check."""
    kind, *line = services(name)[service]["healthcheck"]["test"]
    assert kind == "CMD"
    return words(line)


def words(line: str | list[str]) -> list[str]:
    """A command as Compose takes it: text is split as a shell does, and `$$` is one `$`."""
    return [word.replace("$$", "$") for word in (shlex.split(line) if isinstance(line, str) else line)]


def replaced(line: list[str], instead: Mapping[str, str]) -> list[str]:
    """The line with addresses and ports of this machine. Each must be in it, so that none is left out by mistake."""
    text = "\0".join(line)
    for old, new in instead.items():
        assert old in text, f"{old} is not in {line}"
        text = text.replace(old, new)
    return text.split("\0")
