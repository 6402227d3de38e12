"""Who is let in: the ASGI application asked directly, without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from stt_load.server.decoder_pool import Decoded, DecoderLost
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_server import EmbeddedServer

Messages = list[dict[str, Any]]


class NoRecogniser:
    """A recogniser whose decoders die over every segment."""

    decoders = 1
    queue_length = 0

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        future: asyncio.Future[Decoded] = asyncio.get_running_loop().create_future()
        future.set_exception(DecoderLost())
        return future


def server(dialect: str, max_callers: int = 1, **more: Any) -> EmbeddedServer:
    return EmbeddedServer(NoRecogniser(), SERVER_DIALECTS[dialect], max_callers, **{"is_ready": True, **more})


class Client:
    """One connection of an ASGI server. `received`: what the application sent so far."""

    def __init__(self, app: EmbeddedServer, path: str, headers: dict[str, str] | None = None, **scope: Any) -> None:
        fields = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
        self._scope = {"type": "websocket", "path": path, "headers": fields, "query_string": b"", **scope}
        self._app = app
        self._events: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: Messages = []
        self._events.put_nowait({"type": "websocket.connect"})

    async def _send(self, message: Any) -> None:
        self.received.append(message)

    def start(self) -> asyncio.Task[None]:
        self.task = asyncio.ensure_future(self._app(self._scope, self._events.get, self._send))
        return self.task

    async def send(self, **event: Any) -> None:
        self._events.put_nowait({"type": "websocket.receive", **event})
        await self._idle()

    async def leave(self) -> None:
        self._events.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await self.task

    async def open(self) -> None:
        self.start()
        await self._idle()

    async def _idle(self) -> None:
        """Lets the application do all that it can do now."""
        for _ in range(20):
            await asyncio.sleep(0)


def refusal(messages: Messages) -> tuple[int, Any]:
    start, body = messages
    assert (start["type"], body["type"]) == ("websocket.http.response.start", "websocket.http.response.body")
    assert dict(start["headers"])[b"content-type"] == b"application/json"
    return start["status"], json.loads(body["body"])


@pytest.mark.parametrize(
    ("path", "more", "status", "why"),
    [
        ("/elsewhere", {}, 403, "the websocket is at /ws"),
        ("/ws", {"is_ready": False}, 503, "not ready"),
        ("/ws", {"max_callers": 0}, 503, "full"),
        ("/ws", {"api_key": "k"}, 403, "invalid API key"),
    ],
)
def test_an_upgrade_is_refused_with_a_status_and_a_body(path: str, more: Any, status: int, why: str) -> None:
    async def ask() -> Messages:
        client = Client(server("parakeet", **more), path)
        await client.start()
        return client.received

    assert refusal(asyncio.run(ask())) == (status, {"error": why})


def test_a_caller_too_many_may_be_turned_away_after_the_upgrade() -> None:
    async def ask() -> Messages:
        client = Client(server("speechmatics", max_callers=0), "/v2")
        await client.start()
        return client.received

    accept, farewell, close = asyncio.run(ask())
    assert accept["type"] == "websocket.accept"
    assert json.loads(farewell["text"])["type"] == "quota_exceeded"
    assert (close["type"], close["code"]) == ("websocket.close", 4005)


def test_a_place_is_free_again_when_its_caller_has_left() -> None:
    async def ask() -> list[Messages]:
        app = server("nemotron")
        first, second, third = (Client(app, "/") for _ in range(3))
        await first.open()
        await second.start()
        await first.leave()
        await third.open()
        await third.leave()
        return [first.received, second.received, third.received]

    first, second, third = asyncio.run(ask())
    assert first == third == [{"type": "websocket.accept"}, {"type": "websocket.send", "text": '{"type": "ready"}'}]
    assert refusal(second)[0] == 503


def test_an_abort_ends_the_application_without_a_close() -> None:
    async def ask() -> Messages:
        client = Client(server("parakeet"), "/ws")
        await client.open()
        await client.send(text="no audio")
        await asyncio.wait_for(client.task, 5.0)
        return client.received

    assert asyncio.run(ask()) == [{"type": "websocket.accept"}]


def test_a_decoder_that_dies_is_told_as_the_dialect_says() -> None:
    async def ask() -> Messages:
        client = Client(server("vosk"), SERVER_DIALECTS["vosk"].path)
        await client.open()
        loud = b"\x00\x40" * 8_000
        await client.send(bytes=loud)
        await client.send(text='{"eof" : 1}')
        await asyncio.wait_for(client.task, 5.0)
        return client.received

    assert asyncio.run(ask())[-1] == {"type": "websocket.close", "code": 1011, "reason": "internal error"}


def test_a_client_that_goes_away_while_it_is_sent_to_is_no_error() -> None:
    class Gone(Client):
        async def _send(self, message: Any) -> None:
            if message["type"] == "websocket.send":
                raise OSError("the client has gone away")

    async def ask() -> None:
        client = Gone(server("nemotron"), "/")
        await asyncio.wait_for(client.start(), 5.0)

    asyncio.run(ask())
