"""HTTP POST beside the websockets of one port: a request read whole, its form taken apart, an answer whole or as it
comes. One request a connection."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Protocol
from urllib.parse import parse_qsl, urlsplit

MAX_BODY_BYTES = 64 << 20
_MAX_HEAD_BYTES = 65_536
_BOUNDARY = re.compile(r'boundary="?([^";]+)"?')
_NAMED = re.compile(rb'; (name|filename)="([^"]*)"')


@dataclass(frozen=True, slots=True)
class Post:
    """Header names are lower case. `file`: None where no part has a file name."""

    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """`body`: all of it, or its parts as they come; each part is sent at once, as a chunk of its own."""

    status: int
    body: str | AsyncGenerator[str, None]
    content_type: str = "application/json"


class Posts(Protocol):
    async def answer(self, post: Post) -> Reply: ...


async def is_post(raw: socket.socket) -> bool:
    """Looks at the first byte that the client sends, and leaves it there. False where it says nothing and goes."""
    loop = asyncio.get_running_loop()
    has_come = asyncio.Event()
    loop.add_reader(raw, has_come.set)
    try:
        await has_come.wait()
    finally:
        loop.remove_reader(raw)
    try:
        return raw.recv(1, socket.MSG_PEEK) == b"P"
    except OSError:
        return False


async def answer_post(raw: socket.socket, posts: Posts) -> None:
    """One request and its answer; then the connection ends. A client that goes away is nobody's fault."""
    reader, writer = await asyncio.open_connection(sock=raw, limit=_MAX_HEAD_BYTES)
    try:
        read = await _read(reader)
        await _send(writer, read if isinstance(read, Reply) else await posts.answer(read))
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _read(reader: asyncio.StreamReader) -> Post | Reply:
    """The request, or what is wrong with it."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        target = first.split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        n_bytes = int(headers["content-length"])
    except asyncio.LimitOverrunError:
        return Reply(431, '{"detail":"too many headers"}')
    except (KeyError, ValueError, IndexError):
        return Reply(411, '{"detail":"a Content-Length is needed"}')
    if n_bytes > MAX_BODY_BYTES:
        return Reply(413, '{"detail":"too large"}')
    body = await reader.readexactly(n_bytes)
    url = urlsplit(target)
    fields, file = parse_form(headers.get("content-type", ""), body)
    return Post(url.path, dict(parse_qsl(url.query)), headers, fields, file)


def parse_form(content_type: str, body: bytes) -> tuple[dict[str, str], bytes | None]:
    """Fields and the file of a multipart form (RFC 7578); nothing where it is none."""
    match = _BOUNDARY.search(content_type)
    if match is None or not content_type.startswith("multipart/form-data"):
        return {}, None
    fields: dict[str, str] = {}
    file: bytes | None = None
    _, *parts = (b"\r\n" + body).split(b"\r\n--" + match[1].encode("latin-1"))
    for part in parts[:-1]:
        head, _, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        named = dict(_NAMED.findall(head))
        if b"filename" in named:
            file = content
        else:
            fields[named.get(b"name", b"").decode()] = content.decode("utf-8", "replace")
    return fields, file


async def _send(writer: asyncio.StreamWriter, reply: Reply) -> None:
    whole = reply.body.encode() if isinstance(reply.body, str) else None
    framing = "Transfer-Encoding: chunked" if whole is None else f"Content-Length: {len(whole)}"
    reason = HTTPStatus(reply.status).phrase
    head = f"HTTP/1.1 {reply.status} {reason}\r\nContent-Type: {reply.content_type}\r\n{framing}\r\nConnection: close"
    writer.write(head.encode() + b"\r\n\r\n" + (whole or b""))
    await writer.drain()
    if not isinstance(reply.body, str):
        async with contextlib.aclosing(reply.body) as parts:
            async for part in parts:
                data = part.encode()
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
                await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
