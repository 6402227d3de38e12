"""Which requests come from a web page of somebody else."""

from __future__ import annotations

import pytest

from gpu_sidecar.browser_requests import refusal

OWN_NAMES = ("gpu7", "0.0.0.0")

PROGRAMS: list[dict[str, str]] = [
    {"Host": "127.0.0.1:9550"},
    {"Host": "localhost:9550"},
    {"Host": "LOCALHOST"},
    {"Host": "localhost.:9550"},
    {"Host": "gpu.localhost:9550"},
    {"Host": "[::1]:9550"},
    {"Host": "10.0.0.7:9550"},
    {"Host": "GPU7:9550"},
    {},
    {"Host": "127.0.0.1:9550", "Origin": "http://127.0.0.1:9550", "Sec-Fetch-Site": "same-origin"},
    {"Host": "localhost:9550", "Sec-Fetch-Site": "none"},
]

PAGES: list[dict[str, str]] = [
    {"Host": "127.0.0.1:9550", "Origin": "https://evil.example"},
    {"Host": "127.0.0.1:9550", "Origin": "null"},
    {"Host": "127.0.0.1:9550", "Origin": "http://127.0.0.1:8089"},
    {"Host": "127.0.0.1:9550", "Origin": "http://localhost:9550"},
    {"Host": "127.0.0.1:9550", "Origin": ""},
    {"Host": "127.0.0.1:9550", "Sec-Fetch-Site": "cross-site"},
    {"Host": "127.0.0.1:9550", "Sec-Fetch-Site": "same-site"},
    {"Origin": "http://None"},
]

REBOUND: list[dict[str, str]] = [
    {"Host": "evil.example:9550", "Origin": "http://evil.example:9550", "Sec-Fetch-Site": "same-origin"},
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example:9550"},
    {"Host": "localhost.evil.example"},
    {"Host": "evillocalhost"},
    {"Host": "gpu7.evil.example"},
    {"Host": "127.0.0.1@evil.example"},
    {"Host": "evil.example@127.0.0.1:9550, evil.example"},
    {"Host": ""},
    {"Host": "["},
    {"Host": ":9550"},
]


@pytest.mark.parametrize("headers", PROGRAMS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_programs_and_what_is_typed_into_a_browser_are_answered(method: str, headers: dict[str, str]) -> None:
    assert refusal(method, headers.get, OWN_NAMES) == ""


@pytest.mark.parametrize("headers", PAGES)
def test_a_page_of_another_origin_can_use_nothing(headers: dict[str, str]) -> None:
    for method in ("GET", "POST", "PUT", "OPTIONS"):
        assert refusal(method, headers.get, OWN_NAMES) == "a web page of another origin can use nothing here"


def test_a_link_from_elsewhere_can_be_followed_and_a_form_not_sent() -> None:
    link = {"Host": "127.0.0.1:9550", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    assert refusal("GET", link.get, OWN_NAMES) == ""
    assert refusal("POST", link.get, OWN_NAMES)


@pytest.mark.parametrize("headers", REBOUND)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_name_that_was_pointed_here_is_refused(method: str, headers: dict[str, str]) -> None:
    assert refusal(method, headers.get, OWN_NAMES).startswith("Host is another name")
