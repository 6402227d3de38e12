"""Where the credentials of the environment may go: to servers that the command line or the environment names, and to no
other, whatever is typed into the web UI or posted to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from stt_load.config import RunConfig, parse_options
from stt_load.credentials import HEADERS_VARIABLE, SIDECAR_TOKEN_VARIABLE, TTS_KEY_VARIABLE
from stt_load.errors import ConfigError
from stt_load.option_values import DEFAULT_PORTS, SCHEMES_WITH_TLS

NamedServers = Mapping[str, Sequence[str]]
"""The servers that each option named when Locust was started, as `scheme://host:port`, by option. They are
plain values, which travel to workers with the options."""

# What decides which servers a run talks to.
_DECIDING = ("stt_url", "dialect", "tts_url", "gpu_sidecar")


class _Use(NamedTuple):
    """Servers of an option, and the environment variables whose credentials they are shown."""

    option: str
    urls: Sequence[str]
    variables: Sequence[str]


def named_servers(options: Mapping[str, object]) -> NamedServers:
    """The servers of these options, which come from the command line and the environment; none where they are wrong."""
    try:
        config = parse_options({key: options.get(key) for key in _DECIDING})
    except ConfigError:
        return {}
    return {use.option: [_server_of(url) for url in use.urls] for use in _uses(config)}


def find_unnamed(config: RunConfig, named: NamedServers, environ: Mapping[str, str]) -> list[str]:
    """One line for each server that `environ` has credentials for and that nobody named; none where all may be shown
    what they would be."""
    problems = []
    for use in _uses(config):
        shown = [variable for variable in use.variables if environ.get(variable, "").strip()]
        for server in (_server_of(url) for url in use.urls if shown):
            if server not in named.get(use.option, ()):
                problems.append(
                    f"--{use.option}: {' and '.join(shown)} would go to {server}, which was not named when Locust was "
                    f"started: start it with --{use.option} for that server, or without {' and '.join(shown)}"
                )
    return problems


def _uses(config: RunConfig) -> list[_Use]:
    sidecars = [place for place in config.gpu_sidecars if place != "local"]
    return [
        _Use("stt-url", [config.stt_url], (config.kind.key_variable, HEADERS_VARIABLE)),
        _Use("tts-url", [config.tts_url] if config.tts_url else [], (TTS_KEY_VARIABLE,)),
        _Use("gpu-sidecar", sidecars, (SIDECAR_TOKEN_VARIABLE,)),
    ]


def _server_of(url: str) -> str:
    """Scheme, host and port. A websocket and a request to the same port reach the same server."""
    parts = urlsplit(url)
    scheme = "https" if parts.scheme in SCHEMES_WITH_TLS else "http"
    host = parts.hostname or ""
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{parts.port or DEFAULT_PORTS[parts.scheme]}"
