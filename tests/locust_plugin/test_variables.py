"""Variables of the environment that are misspelt are told, and those of others are left alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stt_load.locust_plugin.variables import KNOWN_VARIABLES, misspelt_variables

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("STT_LOAD_STT_ULR", "STT_LOAD_STT_URL"),
        ("STT_LOAD_CONCURENCY", "STT_LOAD_CONCURRENCY"),
        ("STT_LOAD_HOLDS", "STT_LOAD_HOLD"),
        ("STT_LOAD_APIKEY", "STT_LOAD_API_KEY"),
        ("STT_LOAD_CLUSTER_TOKENS", "STT_LOAD_CLUSTER_TOKEN"),
        ("STT_LOAD_PROCESSES", "LOCUST_PROCESSES"),
    ],
)
def test_a_misspelt_variable_is_told_with_the_nearest_one(name: str, meant: str) -> None:
    assert misspelt_variables({name: "x", meant: "y", "PATH": "/bin"}) == {name: meant}


@pytest.mark.parametrize(
    "name",
    [
        "STT_LOAD_HOLD",
        "STT_LOAD_DATA",
        "STT_LOADS",
        "STT_LOAD_OF_MY_OWN_SCRIPT",
        "STT_LOAD_MASTER_SERVICE_HOST",  # these are of Kubernetes, for a service that is called stt-load-master
        "STT_LOAD_MASTER_PORT",
        "STT_LOAD_PORT_5557_TCP_ADDR",
    ],
)
def test_any_other_variable_is_left_alone(name: str) -> None:
    assert misspelt_variables({name: "x"}) == {}


def test_every_variable_that_the_sources_read_is_known() -> None:
    files = [*(CHECKOUT / "stt_load").rglob("*.py"), CHECKOUT / "docker-compose.yml"]
    read = set(re.findall(r"\bSTT_LOAD_[A-Z_]*[A-Z]\b", "\n".join(file.read_text(encoding="utf-8") for file in files)))
    assert read - KNOWN_VARIABLES == set()
