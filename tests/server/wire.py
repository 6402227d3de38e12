"""A caller on the wire, and processes looked at from outside."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import requests
import websocket

from stt_load.server.process import ServerProcess

DEADLINE_S = 20.0
FRAME_BYTES = 3_200

# Kernel stamps are wall clock. Each process converts them to monotonic time by a reading of both clocks, which takes a
# moment: times that were converted apart, or by a stamp and by a reading, may be in the wrong order by so much.
STAMP_SLACK_S = 0.001


def tone(seconds: float, hz: int = 220) -> bytes:
    """Something loud: int16 LE mono 16 kHz."""
    t = np.arange(round(seconds * 16_000)) / 16_000
    return (8_000 * np.sin(2 * np.pi * hz * t)).astype("<i2").tobytes()


def silence(seconds: float) -> bytes:
    return bytes(2 * round(seconds * 16_000))


def dial(server: ServerProcess, query: str = "") -> websocket.WebSocket:
    return websocket.create_connection(server.url + query, timeout=DEADLINE_S, http_no_proxy=["*"])


def send_audio(caller: websocket.WebSocket, pcm: bytes) -> None:
    """Sends frames faster than a microphone, all in one call: however busy the machine is, the server never sees the
    audio stop in the middle."""
    frames = (pcm[at : at + FRAME_BYTES] for at in range(0, len(pcm), FRAME_BYTES))
    binary = websocket.ABNF.OPCODE_BINARY
    caller.sock.sendall(b"".join(websocket.ABNF.create_frame(frame, binary).format() for frame in frames))


def receive(caller: websocket.WebSocket) -> Any:
    return json.loads(caller.recv())


def has_received_nothing(caller: websocket.WebSocket) -> bool:
    """Whether nothing has arrived by now."""
    return select.select([caller.sock], [], [], 0) == ([], [], [])


def get(server: ServerProcess, path: str) -> Any:
    return requests.get(server.http_url + path, timeout=DEADLINE_S).json()


def wait_until(holds: Callable[[], object]) -> None:
    deadline_s = time.monotonic() + DEADLINE_S
    while not holds():
        assert time.monotonic() < deadline_s, "not in time"
        time.sleep(0.01)


def truth(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie that nobody has collected yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
