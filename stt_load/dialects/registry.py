"""Every server that stt-load can speak to: one row each. The README table and `stt-load dialects` read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stt_load.dialects.assemblyai import AssemblyAI
from stt_load.dialects.base import Capabilities, Dialect, DialectOption, End, Settings
from stt_load.dialects.deepgram import Deepgram
from stt_load.dialects.events import Message
from stt_load.dialects.funasr import FunAsr
from stt_load.dialects.funasr_realtime import FunAsrRealtime
from stt_load.dialects.nemotron import Nemotron
from stt_load.dialects.parakeet import Parakeet
from stt_load.dialects.tingwu import TingWu
from stt_load.errors import ConfigError


@dataclass(frozen=True, slots=True)
class DialectRow:
    """`kind`: the class that speaks it, once for each connection."""

    name: str
    summary: str
    default_url: str
    kind: type[Dialect]

    @property
    def capabilities(self) -> Capabilities:
        """With every option at its default."""
        return self.kind().capabilities

    @property
    def options(self) -> tuple[DialectOption, ...]:
        return self.kind.options

    @property
    def unconfirmed(self) -> tuple[str, ...]:
        return self.kind.unconfirmed

    def make(self, settings: Settings) -> Dialect:
        """A fresh dialect for one connection."""
        return self.kind(settings)

    def parse_options(self, given: Sequence[str]) -> dict[str, Any]:
        """`KEY=VALUE` texts → parsed values, defaults filled in. Raises ConfigError with every problem."""
        known = {option.key: option for option in self.options}
        texts = {key: option.default for key, option in known.items()}
        problems = []
        for text in given:
            key, separator, value = text.partition("=")
            if not separator or key not in known:
                problems.append(f"--dialect-option {text}: {_advice(self.name, known)}")
            else:
                texts[key] = value
        values: dict[str, Any] = {}
        for key, text in texts.items():
            try:
                values[key] = known[key].parse(text)
            except ValueError as error:
                problems.append(f"--dialect-option {key}={text}: {error}")
        if problems:
            raise ConfigError(problems)
        return values


def _advice(name: str, known: Mapping[str, DialectOption]) -> str:
    if not known:
        return f"{name} has no options"
    return f"{name} has {', '.join(f'{key}=…' for key in known)}: see `stt-load dialects {name}`"


DIALECTS: dict[str, DialectRow] = {
    row.name: row
    for row in (
        DialectRow(
            "parakeet",
            "Parakeet FastAPI: int16 in, one text per VAD utterance out; also what `stt-load serve` speaks",
            "ws://localhost:8000/ws",
            Parakeet,
        ),
        DialectRow(
            "nemotron",
            "Nemotron Speech server of pipecat: int16 in, the text so far and one final a reset out",
            "ws://localhost:8080/",
            Nemotron,
        ),
        DialectRow(
            "tingwu",
            "TingWu: int16 in, partials and one offline final out, once a frame follows the end message",
            "ws://localhost:8000/ws/realtime",
            TingWu,
        ),
        DialectRow(
            "funasr",
            "FunASR 2-pass (2pass, online, offline; Python and C++): int16 in, one offline text a VAD segment out",
            "ws://localhost:10095",
            FunAsr,
        ),
        DialectRow(
            "funasr-realtime",
            "FunASR realtime_ws: plain commands and int16 in, locked sentences and a partial out",
            "ws://localhost:10095",
            FunAsrRealtime,
        ),
        DialectRow(
            "deepgram",
            "Deepgram and servers that speak like it: int16 in, results that add up out, a turn ended by silence",
            "wss://api.deepgram.com/v1/listen",
            Deepgram,
        ),
        DialectRow(
            "assemblyai",
            "AssemblyAI streaming v3: int16 in, turns out, each end told raw and then formatted",
            "wss://streaming.assemblyai.com/v3/ws",
            AssemblyAI,
        ),
    )
}


def make_dialect(name: str, end: End, options: Mapping[str, Any], api_key: str | None) -> Dialect:
    """One connection's dialect, for a run that was asked for like this."""
    return DIALECTS[name].make(Settings(options=options, end=end, api_key=api_key))


def sounds_like(messages: Sequence[Message]) -> list[str]:
    """Names of the dialects that one of these first messages of a server belongs to."""
    return [row.name for row in DIALECTS.values() if any(row.kind.is_mine(message) for message in messages)]
