"""The embedded recogniser's HTTP side: websockets of one server dialect, uploads, and how it is doing.

ws   PATH           what the server dialect says (`dialects/`)
POST PATH           whole files, see `uploads.py`
GET  /healthz       {"ready", "callers", "max_callers", "queue", "decoders", "heard_s"}; 503 while it isn't ready
GET  /timings       totals and percentiles since the start

A caller beyond `max_callers` is turned away as the dialect says; a websocket at another path with 403.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Message as AsgiMessage
from starlette.types import Receive, Scope, Send

from stt_load.dialects.events import Message
from stt_load.server.server_dialect import (
    Close,
    ConnectionAction,
    SendMessage,
    ServerDialect,
    UpgradeRefusal,
    UpgradeRequest,
)
from stt_load.server.server_session import Recogniser, ServerSession
from stt_load.server.timings import Timings
from stt_load.server.uploads import UploadRoutes


class EmbeddedServer:
    """The ASGI application in front of one recogniser. `is_ready` is set by whoever prepares the recogniser.
    `api_key`: None lets everybody in."""

    def __init__(
        self,
        recogniser: Recogniser,
        dialect_class: type[ServerDialect],
        max_callers: int,
        api_key: str | None = None,
        is_ready: bool = False,
    ) -> None:
        self.path = dialect_class.path
        self.is_ready = is_ready
        self._recogniser = recogniser
        self._dialect_class = dialect_class
        self._max_callers = max_callers
        self._api_key = api_key
        self._timings = Timings()
        self._n_callers = 0
        uploads = UploadRoutes(recogniser, self._timings, max_callers, api_key, lambda: self.is_ready)
        self._http = Starlette(
            routes=[
                Route("/healthz", self._answer_health),
                Route("/timings", self._answer_timings),
                Route("/{path:path}", self._answer_elsewhere),
                Route("/{path:path}", uploads.answer, methods=["POST"]),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's WebSocket knows no way to end TCP without a closing handshake, so these don't go through it.
        await (self._websocket if scope["type"] == "websocket" else self._http)(scope, receive, send)

    async def _answer_health(self, _: Request) -> Response:
        health = {
            "ready": self.is_ready,
            "callers": self._n_callers,
            "max_callers": self._max_callers,
            "queue": self._recogniser.queue_length,
            "decoders": self._recogniser.decoders,
            "heard_s": round(self._timings.received_s, 3),
        }
        return JSONResponse(health, 200 if self.is_ready else 503)

    async def _answer_timings(self, _: Request) -> Response:
        return JSONResponse(self._timings.summary())

    async def _answer_elsewhere(self, _: Request) -> Response:
        return JSONResponse({"error": f"there are /healthz, /timings and the websocket {self.path}"}, 404)

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = _upgrade_request(scope, self._api_key)
        dialect = self._dialect_class(request)
        decision = self._admit(request, dialect)
        if isinstance(decision, Response):
            await decision(scope, receive, send)
            return
        outgoing: asyncio.Queue[ConnectionAction] = asyncio.Queue()
        await receive()  # the request itself, which `scope` describes
        await send({"type": "websocket.accept"})
        if decision is not None:
            for action in decision:
                outgoing.put_nowait(action)
            await _exchange(receive, send, outgoing, None)
            return
        session = ServerSession(dialect, self._recogniser, self._timings, outgoing.put_nowait)
        self._n_callers += 1
        try:
            session.on_open()
            await _exchange(receive, send, outgoing, session)
        finally:
            self._n_callers -= 1
            session.on_closed()

    def _admit(self, request: UpgradeRequest, dialect: ServerDialect) -> Response | Sequence[ConnectionAction] | None:
        """Decides about an upgrade: refuses it by a response, turns the client away by actions after it, or, with
        None, lets it in."""
        if request.path != self.path:
            return JSONResponse({"error": f"the websocket is at {self.path}"}, 403)
        if not self.is_ready:
            return JSONResponse({"error": "not ready"}, 503)
        refusal = dialect.refuse()
        if refusal is None and self._n_callers >= self._max_callers:
            farewell = dialect.on_full()
            if not isinstance(farewell, UpgradeRefusal):
                return farewell
            refusal = farewell
        return None if refusal is None else Response(refusal.body, refusal.status, media_type="application/json")


def _upgrade_request(scope: Scope, api_key: str | None) -> UpgradeRequest:
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
    return UpgradeRequest(scope["path"], dict(parse_qsl(scope["query_string"].decode("latin-1"))), headers, api_key)


async def _exchange(
    receive: Receive, send: Send, outgoing: asyncio.Queue[ConnectionAction], session: ServerSession | None
) -> None:
    """Passes messages both ways until either side ends the connection. Without a session nobody listens to them."""
    tasks = {asyncio.ensure_future(_read(receive, session)), asyncio.ensure_future(_write(send, outgoing))}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()


async def _read(receive: Receive, session: ServerSession | None) -> None:
    while (event := await receive())["type"] == "websocket.receive":
        if session is not None:
            session.on_message(_message_of(event))


def _message_of(event: AsgiMessage) -> Message:
    text: str | None = event.get("text")
    if text is not None:
        return text
    data: bytes = event["bytes"]
    return data


async def _write(send: Send, outgoing: asyncio.Queue[ConnectionAction]) -> None:
    """Carries out actions until one ends the connection. When an ASGI application returns without a close, uvicorn
    ends TCP without one too: that is the whole of `Abort`."""
    try:
        while True:
            match await outgoing.get():
                case SendMessage(message):
                    await send({"type": "websocket.send", "text" if isinstance(message, str) else "bytes": message})
                case Close(code, reason):
                    await send({"type": "websocket.close", "code": code, "reason": reason})
                    return
                case _:
                    return
    except OSError:  # the client has gone away
        return
