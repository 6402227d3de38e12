"""Which OpenTelemetry collector figures are pushed to, and whether they can be."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

from stt_load.errors import ConfigError
from stt_load.extras import install_command

FROM_ENVIRONMENT = "env"
"""Stands for the URL of the standard variables."""

_URL_VARIABLES = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PATH = "/v1/metrics"  # of the signal, below the URL of a collector


def collector_url(given: str, environment: Mapping[str, str]) -> str:
    """Where metrics are pushed to: the URL of a collector gets the path of metrics, one with a path is taken as it is.

    `env` means what the standard variables say. Raises ConfigError where they say nothing.
    """
    if given != FROM_ENVIRONMENT:
        return given if urlsplit(given).path not in ("", "/") else f"{given.rstrip('/')}{_PATH}"
    whole, base = (environment.get(name, "").strip() for name in _URL_VARIABLES)
    if not (whole or base):
        raise ConfigError(f"--otlp-endpoint env: neither {' nor '.join(_URL_VARIABLES)} is set: name the URL")
    return whole or f"{base.rstrip('/')}{_PATH}"


def check_otlp(given: str, environment: Mapping[str, str]) -> None:
    """Raises ConfigError where nothing can be pushed with that value of --otlp-endpoint."""
    collector_url(given, environment)
    import_sdk()


def import_sdk() -> Any:
    """The names that are used of opentelemetry-sdk and its exporter, which only some installations have."""
    try:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.sdk.metrics import export
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    except ImportError as error:
        raise ConfigError(
            f"--otlp-endpoint: {error.name} is not installed: {install_command('otel')}, or leave it out"
        ) from error
    found = {"OTLPMetricExporter": OTLPMetricExporter, "Resource": Resource}
    return SimpleNamespace(**vars(export), **found, InstrumentationScope=InstrumentationScope)
