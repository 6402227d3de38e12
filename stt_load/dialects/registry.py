"""Every server that stt-load can speak to: one row each. The README table and `stt-load dialects` read it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stt_load.dialects.base import Capabilities, Dialect
from stt_load.dialects.parakeet import Parakeet


@dataclass(frozen=True, slots=True)
class DialectRow:
    """`make(api_key)` gives a fresh dialect for one connection."""

    name: str
    summary: str
    default_url: str
    make: Callable[[str | None], Dialect]
    capabilities: Capabilities


DIALECTS: dict[str, DialectRow] = {
    row.name: row
    for row in (
        DialectRow(
            name="parakeet",
            summary="Parakeet FastAPI: int16 in, one text per VAD utterance out; also what `stt-load serve` speaks",
            default_url="ws://localhost:8000/ws",
            make=Parakeet,
            capabilities=Parakeet.capabilities,
        ),
    )
}
