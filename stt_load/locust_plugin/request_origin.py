"""Who may use the web UI: told from what a request says of where it goes and which page sent it.

A page that the user visits can send requests to 127.0.0.1 as well. So a request must go to a name of ours (a page could
make a name of its own lead here: DNS rebinding), and come from a page of ours where a browser says from which it comes.
Programs such as curl send neither `Origin` nor `Sec-Fetch-Site` and are let in: whoever can run them against this
address was let in by --web-host.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

HOSTS_FLAG = "--web-allowed-hosts"
HOSTS_VARIABLE = "STT_LOAD_WEB_ALLOWED_HOSTS"
_SAFE_METHODS = ("GET", "HEAD")  # RFC 9110 section 9.2.1: they change nothing, and Locust's own routes keep to it


def find_refusal(
    method: str, host: str, headers: Mapping[str, str], allowed: Collection[str], own: Collection[str] = ()
) -> str | None:
    """Why a request is refused, in one line; None where it isn't.

    `host`: its `Host`. `allowed`: further names of ours, each with or without a port, such as those of a reverse proxy,
    which may send another `Host` than the browser did. `own`: names of this machine, which nobody else can have.
    """
    host = host.lower()
    if not _is_ours(host, {*allowed, *own}):
        return (
            f"{host!r} is no name of this web UI: open it as http://127.0.0.1 with its port, or name the host when "
            f"Locust is started, with {HOSTS_FLAG} or {HOSTS_VARIABLE}"
        )
    if _is_from_our_page(method, host, headers, allowed):
        return None
    return (
        f"a page of another origin ({headers.get('Origin') or headers.get('Sec-Fetch-Site')}) may not use this web UI: "
        f"a reverse proxy's name is given when Locust is started, with {HOSTS_FLAG} or {HOSTS_VARIABLE}"
    )


def _is_ours(host: str, names: Collection[str]) -> bool:
    """Whether `Host` names this web UI. Any address does: only a name can be made to lead here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return name == "localhost" or _is_named(host, names)


def _is_from_our_page(method: str, host: str, headers: Mapping[str, str], allowed: Collection[str]) -> bool:
    """Whether the page that sent it is of the web UI, or no page did. Following a link from elsewhere is allowed."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:  # not sent over plain HTTP to another machine
        is_link = method in _SAFE_METHODS and headers.get("Sec-Fetch-Mode") == "navigate"
        return site in ("same-origin", "none") or is_link
    netloc = urlsplit(origin or "").netloc.lower()
    return origin is None or netloc == host or _is_named(netloc, allowed)


def _is_named(netloc: str, names: Collection[str]) -> bool:
    return netloc in names or netloc.partition(":")[0] in names
