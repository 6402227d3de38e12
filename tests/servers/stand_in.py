"""The embedded server with a recogniser that recognises nothing: all speech is the same text, after a while.

    python -m servers.stand_in --dialect NAME --text TEXT --port 0 [--delay S] [--api-key KEY] [--max-callers N]

For tests of dialects and upload APIs over a real socket.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import click

from stt_load.server.decoder_pool import Decoded
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_server import EmbeddedServer
from stt_load.server.http_server import serve
from stt_load.server.listener import open_listener, run_command, url_of


@dataclass
class OneText:
    """A recogniser to which every segment is `text`, `delay_s` after it was cut."""

    text: str
    delay_s: float
    decoders: int = 1
    queue_length: int = 0

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Decoded] = loop.create_future()

        def decode() -> None:
            if not future.done():
                future.set_result(Decoded(self.text, 0.0, 1000 * self.delay_s))

        loop.call_later(self.delay_s, decode)
        return future


@click.command()
@click.option("--dialect", type=click.Choice(list(SERVER_DIALECTS)), required=True)
@click.option("--text", required=True)
@click.option("--host", default="127.0.0.1")
@click.option("--port", default=0, help="0 takes a free one; the first line printed names it.")
@click.option("--delay", "delay_s", default=0.05, help="Seconds from the cut of a segment to its text.")
@click.option("--api-key", help="What callers must show, in the dialect's own way.")
@click.option("--max-callers", default=64)
@click.option("--exit-with-parent", is_flag=True, help="Also end when standard input ends.")
def command(
    dialect: str,
    text: str,
    host: str,
    port: int,
    delay_s: float,
    api_key: str | None,
    max_callers: int,
    exit_with_parent: bool,
) -> None:
    listener = open_listener(host, port)

    async def main() -> None:
        server = EmbeddedServer(OneText(text, delay_s), SERVER_DIALECTS[dialect], max_callers, api_key, is_ready=True)
        await serve(server, listener, url_of(listener, "ws", server.path), exit_with_parent)

    asyncio.run(main())


if __name__ == "__main__":
    run_command(command)
