"""What an HTTP status other than 2xx means, and the reason that its body gives."""

from __future__ import annotations

import json

from stt_load.errors import FailureReported, ProtocolError, SttLoadError, UpgradeRefused
from stt_load.session.outcomes import STATUS_REFUSALS

_REASON_CHARACTERS = 200


def fault_of_status(status: int, body: str) -> SttLoadError:
    """The fault of an answer other than 2xx. RFC 9110 section 15: 4xx is the request, 5xx the server."""
    reason = " ".join(_reason_of(body).split())[:_REASON_CHARACTERS]
    text = f"HTTP {status}: {reason}" if reason else f"HTTP {status}"
    if status in STATUS_REFUSALS or 400 <= status < 500:
        return UpgradeRefused(text, status)
    return FailureReported(text) if status >= 500 else ProtocolError(text)


def _reason_of(text: str) -> str:
    """FastAPI's `{"detail": …}`, where a list has one entry for each wrong field; OpenAI's `{"error": {"message": …}}`;
    else the text itself."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(said, dict):
        return text
    detail = said.get("detail", said.get("error", text))
    if isinstance(detail, dict):
        detail = detail.get("message", text)
    if isinstance(detail, list):
        return "; ".join(_wrong_field(entry) for entry in detail)
    return str(detail)


def _wrong_field(entry: object) -> str:
    if not isinstance(entry, dict):
        return str(entry)
    place = ".".join(str(part) for part in entry.get("loc", ()))
    return f"{place}: {entry.get('msg')}" if place else str(entry.get("msg"))
