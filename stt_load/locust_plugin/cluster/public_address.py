"""Ports of this machine that strangers could reach: a master's, and that of the web UI.

It knows this machine's own addresses. What a router or a cloud forwards to a private one, nobody here can see.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import psutil

from stt_load.credentials import CLUSTER_TOKEN_VARIABLE
from stt_load.locust_plugin.process_options import I_KNOW

EVERY_INTERFACE = ("*", "")


def find_open_doors(options: Any) -> list[str]:
    """One line for each port that Locust would open to strangers with these options; none with `--i-know`."""
    if options.i_know:
        return []
    lines = []
    if options.master and (public := public_addresses(options.master_bind_host)):
        lines.append(
            f"--master-bind-host {options.master_bind_host}: strangers can reach port {options.master_bind_port} at "
            f"{public[0]}, a public address: bind a private one, of WireGuard for example, or 127.0.0.1 with an SSH "
            f"tunnel from each worker (docs/locust.md has the lines to type); or say --{I_KNOW.name}, and let a "
            f"firewall keep them out. Workers need the token in {CLUSTER_TOKEN_VARIABLE} either way"
        )
    has_web_ui = not (options.headless or options.worker or options.web_login)
    if has_web_ui and (public := public_addresses(options.web_host)):
        lines.append(
            f"--web-host {options.web_host}: strangers can use the web UI, which has no password, at {public[0]}, a "
            f"public address: leave it at 127.0.0.1 and reach it through an SSH tunnel, or say --{I_KNOW.name}"
        )
    return lines


def public_addresses(host: str) -> list[str]:
    """The public ones among the addresses that a socket bound to `host` listens at. A name that can't be resolved has
    none: it can't be bound either."""
    return [address for address in _listening_addresses(host) if is_public(address)]


def is_public(address: str) -> bool:
    """Whether the whole internet can route to it: it is not loopback, private (RFC 1918, RFC 4193), link-local or
    shared by a carrier or a VPN (RFC 6598)."""
    ip = ip_address(address)
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not ip.is_multicast


def _listening_addresses(host: str) -> Iterable[str]:
    resolved = ["0.0.0.0", "::"] if host in EVERY_INTERFACE else _resolve(host)
    families = {socket.AF_INET if ip_address(each).version == 4 else socket.AF_INET6 for each in resolved}
    if not any(ip_address(each).is_unspecified for each in resolved):
        return resolved
    if socket.AF_INET6 in families:
        families.add(socket.AF_INET)  # ZeroMQ and gevent take both with `::`
    own = [each for card in psutil.net_if_addrs().values() for each in card if each.family in families]
    return [each.address.partition("%")[0] for each in own]


def _resolve(host: str) -> list[str]:
    with suppress(OSError, UnicodeError):
        return sorted({str(found[4][0]).partition("%")[0] for found in socket.getaddrinfo(host, None)})
    return []
