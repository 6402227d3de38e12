"""Which ports strangers could reach: a master's and the web UI's, at addresses that the internet routes to."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

import psutil
import pytest

from stt_load.locust_plugin.cluster.public_address import find_open_doors, is_public, public_addresses


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("8.8.8.8", True),
        ("2001:4860:4860::8888", True),
        ("::ffff:8.8.8.8", True),  # the same as the first
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.17.0.2", False),  # Docker's
        ("192.168.1.4", False),
        ("::ffff:10.1.2.3", False),
        ("100.64.0.7", False),  # shared: a carrier's, Tailscale's
        ("169.254.1.1", False),
        ("fe80::1", False),
        ("fd00::2", False),
        ("::1", False),
        ("224.0.1.1", False),
    ],
)
def test_an_address_that_the_internet_routes_to_is_public(address: str, public: bool) -> None:
    assert is_public(address) is public
    assert public_addresses(address) == ([address] if public else [])


@pytest.mark.parametrize("host", ["*", "", "0.0.0.0", "::"])
def test_every_interface_is_as_public_as_this_machines_addresses(host: str) -> None:
    own = [each.address.partition("%")[0] for card in psutil.net_if_addrs().values() for each in card]
    own = [address for address in own if "." in address or "::" in address]  # and no hardware address
    of_its_kind = [address for address in own if host != "0.0.0.0" or ":" not in address]
    assert sorted(public_addresses(host)) == sorted(address for address in of_its_kind if is_public(address))


def test_a_name_that_nobody_knows_has_no_address() -> None:
    assert public_addresses("no.such.host.invalid") == []
    assert public_addresses("localhost") == []


def options(**given: Any) -> Namespace:
    quiet = {"master": False, "worker": False, "headless": True, "web_login": False, "i_know": False}
    return Namespace(**{**quiet, "master_bind_host": "127.0.0.1", "master_bind_port": 5557, **given})


@pytest.mark.parametrize(
    ("given", "starts"),
    [
        ({"master": True}, []),
        (
            {"master": True, "master_bind_host": "8.8.8.8"},
            ["--master-bind-host 8.8.8.8: strangers can reach"],
        ),
        ({"master": True, "master_bind_host": "8.8.8.8", "i_know": True}, []),
        ({"worker": True, "master_bind_host": "8.8.8.8", "web_host": "8.8.8.8"}, []),  # it listens nowhere
        ({"headless": False, "web_host": "8.8.8.8"}, ["--web-host 8.8.8.8: strangers can use the web UI"]),
        ({"headless": False, "web_host": "127.0.0.1"}, []),
        ({"headless": False, "web_host": "8.8.8.8", "web_login": True}, []),
        ({"headless": True, "web_host": "8.8.8.8"}, []),
    ],
)
def test_a_public_port_is_opened_for_somebody_who_knows(given: dict[str, Any], starts: list[str]) -> None:
    lines = find_open_doors(options(**given))
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts
    assert all("--i-know" in line for line in lines)
