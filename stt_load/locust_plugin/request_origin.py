"""Who may use the web UI: told from what a request says of where it goes and which page sent it.

Programs such as curl are let in: whoever can run them against this address was let in by --web-host.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from stt_load.net.request_origin import is_from_our_page, is_ours

HOSTS_FLAG = "--web-allowed-hosts"
HOSTS_VARIABLE = "STT_LOAD_WEB_ALLOWED_HOSTS"


def find_refusal(
    method: str, host: str, headers: Mapping[str, str], allowed: Collection[str], own: Collection[str] = ()
) -> str | None:
    """Why a request is refused, in one line; None where it isn't.

    `host`: its `Host`. `allowed`: further names of ours, each with or without a port, such as those of a reverse proxy,
    which may send another `Host` than the browser did. `own`: names of this machine, which nobody else can have.
    """
    host = host.lower()
    if not is_ours(host, {*allowed, *own}):
        return (
            f"{host!r} is no name of this web UI: open it as http://127.0.0.1 with its port, or name the host when "
            f"Locust is started, with {HOSTS_FLAG} or {HOSTS_VARIABLE}"
        )
    if is_from_our_page(method, host, headers, allowed):
        return None
    return (
        f"a page of another origin ({headers.get('Origin') or headers.get('Sec-Fetch-Site')}) may not use this web UI: "
        f"a reverse proxy's name is given when Locust is started, with {HOSTS_FLAG} or {HOSTS_VARIABLE}"
    )
