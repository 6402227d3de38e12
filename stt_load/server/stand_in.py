"""A server that speaks any dialect and recognises nothing: all speech is the same text, after a while.

    python -m stt_load.server.stand_in --dialect NAME --text TEXT --port 0 [--delay S] [--api-key KEY] [--max-callers N]

For tests of dialects and upload APIs over a real socket: it behaves as `voices/` and `uploads.py` say, and /healthz
tells how much audio it heard over websockets.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import click

from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_server import EmbeddedServer
from stt_load.server.frontend import serve
from stt_load.server.listener import open_listener, run_command
from stt_load.server.pool import Decoded
from stt_load.server.uploads import Uploads


@dataclass
class OneText:
    """Every segment is `text`, told `delay_s` after it was cut."""

    text: str
    delay_s: float
    decoders: int = 1
    queue_length: int = 0

    def submit(self, pcm: bytes) -> asyncio.Future[Decoded]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Decoded] = loop.create_future()

        def tell() -> None:
            if not future.done():
                future.set_result(Decoded(self.text, 0.0, 1000 * self.delay_s))

        loop.call_later(self.delay_s, tell)
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
    async def main() -> None:
        recogniser = OneText(text, delay_s)
        room = EmbeddedServer(recogniser, SERVER_DIALECTS[dialect], max_callers, api_key)
        room.is_ready = True
        uploads = Uploads(recogniser, room.timings, max_callers, api_key, lambda: True)
        await serve(open_listener(host, port), room, exit_with_parent=exit_with_parent, posts=uploads)

    asyncio.run(main())


if __name__ == "__main__":
    run_command(command)
