"""Who may use the web UI: a request by what it says of itself, and whether it is let in."""

from __future__ import annotations

import pytest

from stt_load.locust_plugin.request_origin import find_refusal

HOST = "127.0.0.1:8089"
FOREIGN = {"Origin": "http://evil.example"}
BEHIND_PROXY = ("stt.example", "lab:8443")


def said(site: str, mode: str = "cors", **more: str) -> dict[str, str]:
    return {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode, **more}


@pytest.mark.parametrize(
    ("method", "host", "headers"),
    [
        ("POST", HOST, {}),  # curl, CI
        ("GET", HOST, {}),
        ("POST", HOST, {"Origin": f"http://{HOST}"}),
        ("POST", "localhost:8089", {"Origin": "http://localhost:8089"}),
        ("POST", "LOCALHOST:8089", {"Origin": "http://localhost:8089"}),
        ("POST", "[::1]:8089", {"Origin": "http://[::1]:8089"}),
        ("POST", "10.0.0.5:8089", {"Origin": "http://10.0.0.5:8089"}),  # reached over the network, without TLS
        ("POST", HOST, said("same-origin", Origin=f"http://{HOST}")),
        ("GET", HOST, said("none", "navigate")),  # typed into the address bar
        ("GET", HOST, said("cross-site", "navigate")),  # a link on another page
        ("POST", "bench.lan:8089", {"Origin": "http://bench.lan:8089"}),  # --web-host, or this machine
        ("POST", "stt.example", {"Origin": "https://stt.example"}),
        ("POST", "stt.example:444", {"Origin": "https://stt.example:444"}),
        ("POST", "lab:8443", {}),
        ("POST", HOST, {"Origin": "https://stt.example"}),  # a reverse proxy that sends a Host of its own
    ],
)
def test_our_own_page_and_programs_are_let_in(method: str, host: str, headers: dict[str, str]) -> None:
    assert find_refusal(method, host, headers, BEHIND_PROXY, {"bench.lan"}) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "headers",
    [
        FOREIGN,
        {"Origin": "null"},  # a sandboxed frame, a file
        {"Origin": "http://127.0.0.1:3000"},
        {"Origin": "http://localhost:8089"},  # the same program under another name is another origin
        {"Origin": "http://127.0.0.1:8089.evil.example"},
        {"Origin": "http://evil.example/127.0.0.1:8089"},
        said("cross-site"),
        said("same-site"),
        said("cross-site", "no-cors"),
        said("same-site", **FOREIGN),
        said("rubbish"),
    ],
)
def test_a_page_of_another_origin_is_refused(method: str, headers: dict[str, str]) -> None:
    assert "a page of another origin" in str(find_refusal(method, HOST, headers, BEHIND_PROXY))


def test_another_server_on_this_machine_is_another_origin_under_its_name_too() -> None:
    headers = {"Origin": "http://bench.lan:3000"}
    assert "a page of another origin" in str(find_refusal("POST", "bench.lan:8089", headers, (), {"bench.lan"}))


def test_a_form_of_another_page_is_refused_though_it_navigates() -> None:
    assert find_refusal("POST", HOST, said("cross-site", "navigate", **FOREIGN), ()) is not None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8089",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "",
        ":8089",
        "[::1",
        "lab",
    ],
)
@pytest.mark.parametrize("headers", [{}, said("same-origin"), said("none", "navigate")])
def test_a_name_that_is_not_ours_is_refused_whatever_the_browser_says(host: str, headers: dict[str, str]) -> None:
    """DNS rebinding: to the browser the page and this web UI are one origin then."""
    assert "is no name of this web UI" in str(find_refusal("GET", host, headers, BEHIND_PROXY))
