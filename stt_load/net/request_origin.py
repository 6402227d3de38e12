"""Where a request goes and which page sent it, told from its headers alone.

A page that somebody visits can send requests to 127.0.0.1 as well. So a request must go to a name of ours (a page could
make a name of its own lead here: DNS rebinding), and come from a page of ours where a browser says from which it comes.
Programs such as curl send neither `Origin` nor `Sec-Fetch-Site`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Mapping
from urllib.parse import urlsplit

_SAFE_METHODS = ("GET", "HEAD")  # RFC 9110 section 9.2.1: they change nothing, and Locust's own routes keep to it


def is_ours(host: str, names: Collection[str]) -> bool:
    """Whether `Host` names this server. Any address does: only a name can be made to lead here."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return False
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return name == "localhost" or _is_named(host, names)


def is_from_our_page(method: str, host: str, headers: Mapping[str, str], allowed: Collection[str]) -> bool:
    """Whether the page that sent it is one of ours, or no page did. Following a link from elsewhere is allowed."""
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if site is not None:  # not sent over plain HTTP to another machine
        is_link = method in _SAFE_METHODS and headers.get("Sec-Fetch-Mode") == "navigate"
        return site in ("same-origin", "none") or is_link
    netloc = urlsplit(origin or "").netloc.lower()
    return origin is None or netloc == host or _is_named(netloc, allowed)


def _is_named(netloc: str, names: Collection[str]) -> bool:
    return netloc in names or netloc.partition(":")[0] in names
