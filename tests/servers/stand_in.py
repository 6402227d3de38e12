"""The embedded server with a recogniser that recognises nothing: all speech is the same text, after a while.

    python -m servers.stand_in --dialect NAME --text TEXT --port 0 [--delay S] [--api-key KEY] [--max-callers N]

For tests of dialects and upload APIs over a real socket. With `--texts FILE` it knows segments by how they sound, and
with `--endpoint S` it cuts them after that much silence: what it gets wrong about turns is then what the file says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from servers.script import sound_key
from stt_load.server.decoder_pool import Decoded
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_server import EmbeddedServer
from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, run_command, url_of


@dataclass
class OneText:
    """A recogniser to which every segment is `text`, `delay_s` after it was cut, unless `texts` has another by its
    `sound_key`."""

    text: str
    delay_s: float
    texts: Mapping[str, str] = field(default_factory=dict)
    decoders: int = 1
    queue_length: int = 0

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Decoded] = loop.create_future()
        text = self.texts.get(sound_key(pcm), self.text) if self.texts else self.text

        def decode() -> None:
            if not future.done():
                future.set_result(Decoded(text, 0.0, 1000 * self.delay_s))

        loop.call_later(self.delay_s, decode)
        return future


@click.command()
@click.option("--dialect", type=click.Choice(list(SERVER_DIALECTS)), required=True)
@click.option("--text", required=True)
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--delay", "delay_s", default=0.05, help="Seconds from the cut of a segment to its text.")
@click.option("--texts", type=click.Path(path_type=Path), help="JSON: sound_key of a segment -> its text.")
@click.option("--endpoint", "endpoint_s", type=float, help="Seconds of silence that end a segment.")
@click.option("--api-key", help="What callers must show, in the dialect's own way.")
@click.option("--max-callers", default=64)
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(
    dialect: str,
    text: str,
    host: str,
    port: int,
    delay_s: float,
    texts: Path | None,
    endpoint_s: float | None,
    api_key: str | None,
    max_callers: int,
    exit_with_parent: bool,
) -> None:
    listener = open_listener(host, port)
    recogniser = OneText(text, delay_s, json.loads(texts.read_text()) if texts else {})
    server_dialect = SERVER_DIALECTS[dialect]
    if endpoint_s is not None:
        server_dialect = type(server_dialect.__name__, (server_dialect,), {"endpoint_s": endpoint_s})

    async def main() -> None:
        server = EmbeddedServer(recogniser, server_dialect, max_callers, api_key, is_ready=True)
        await serve(server, listener, url_of(listener, "ws", server.path), exit_with_parent)

    asyncio.run(main())


if __name__ == "__main__":
    run_command(command)
