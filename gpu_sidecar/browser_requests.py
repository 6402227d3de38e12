"""Tells requests that a web page made in somebody's browser from those of programs.

A sidecar on a loopback address needs no token, and every page that is open in a browser there can send requests to it:
as a request to another origin, which the browser sends although the page can't read the answer, or as one to its own
name, which it has pointed at 127.0.0.1 meanwhile (DNS rebinding). Programs (stt-load, Prometheus, curl) send neither
`Origin` nor `Sec-Fetch-Site`, and in `Host` the address that they were given. A link from elsewhere may be followed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Collection

_HOST = re.compile(r"(?:\[([0-9a-f:.%]+)\]|([a-z0-9._-]+))(?::[0-9]*)?")
_CHANGE_NOTHING = ("GET", "HEAD")
_OWN_SITE = ("same-origin", "none")  # none: typed into the address bar, or a bookmark


def refusal(method: str, header: Callable[[str], str | None], own_names: Collection[str]) -> str:
    """Why this request is refused, in one line; "" if it isn't.

    `header` returns the value of a header, None without it. `own_names`: names of this host, in lower case, which
    nobody else can have.
    """
    host = header("Host")
    if host is not None and not _is_own(_name_of(host), own_names):
        return "Host is another name than this sidecar's: use its address or localhost, or give the sidecar a token"
    origin, site = header("Origin"), header("Sec-Fetch-Site")
    is_own_origin = origin is None or (host is not None and origin.lower() == f"http://{host}".lower())
    is_link = method in _CHANGE_NOTHING and header("Sec-Fetch-Mode") == "navigate"
    if is_link or (is_own_origin and site in (None, *_OWN_SITE)):
        return ""
    return "a web page of another origin can use nothing here"


def _is_own(name: str, own_names: Collection[str]) -> bool:
    """True for addresses too, whichever: a page can make its name point here, but not an address."""
    if name == "localhost" or name.endswith(".localhost") or name in own_names:
        return True
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def _name_of(host: str) -> str:
    """The name or address in a Host header, without port, brackets and the dot at its end; "" if it has none."""
    found = _HOST.fullmatch(host.lower())
    return "" if found is None else (found[1] or found[2]).rstrip(".")
