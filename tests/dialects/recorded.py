"""Recorded conversations with servers, as the conformance suite reads them: FOLDER/<dialect>/*.jsonl."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stt_load.dialects.events import Message
from stt_load.errors import CallEnded, ConnectionLost, SttLoadError
from stt_load.session.grpc_status import GrpcStatus

OURS = Path(__file__).parent / "conversations"
FOLDERS = [OURS]
"""Where conversations are read from; `pytest --conversations FOLDER` names another place."""


@dataclass(frozen=True)
class Conversation:
    """One file: what the server said and when, and what comes of it."""

    dialect: str
    name: str
    head: dict[str, Any]
    lines: list[dict[str, Any]]

    @property
    def ends_well(self) -> bool:
        return self.head["outcome"] == "ok"

    @property
    def messages(self) -> list[Message]:
        return [message_of(line) for line in self.lines if is_message(line)]

    @property
    def arrivals(self) -> list[tuple[float, Message | SttLoadError]]:
        return [(line["at_s"], arrival_of(line)) for line in self.lines]


def is_message(line: dict[str, Any]) -> bool:
    """Whether the server says something; else it ends the connection."""
    return "close" not in line and "status" not in line


def message_of(line: dict[str, Any]) -> Message:
    return bytes.fromhex(line["server_hex"]) if "server_hex" in line else line["server"]


def arrival_of(line: dict[str, Any]) -> Message | SttLoadError:
    """A message, or the end of the connection by the server's closing frame, or by the status of a gRPC call."""
    if "close" in line:
        return ConnectionLost(f"closed by the server with {line['close']}", line["close"])
    if "status" in line:
        return CallEnded(f"the call was ended by the server with {line['status']}", GrpcStatus[line["status"]])
    return message_of(line)


def read(path: Path) -> Conversation:
    head, *lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return Conversation(path.parent.name, path.stem, head, lines)


def read_all() -> list[Conversation]:
    return [read(path) for folder in FOLDERS for path in sorted(folder.glob("*/*.jsonl"))]
