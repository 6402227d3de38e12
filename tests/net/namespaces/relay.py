"""A relay between two machines that can be as bad as a network: late, stalled, or with its connections cut.

    python relay.py LISTEN_HOST:PORT TO_HOST:PORT ORDERS

ORDERS is a file with one JSON object, which may be replaced at any moment: `delay_s`, each way; `is_stalled`, nothing
passes; `cuts`, a number: when it grows, every connection is reset. (Packets that get lost show in TCP as delay, and
those that stay lost as a stall: that is all that a program can see of them.)
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass, field
from pathlib import Path

_LOOK_PERIOD_S = 0.02
_PIECE_BYTES = 65_536


@dataclass
class Orders:
    delay_s: float = 0.0
    is_stalled: bool = False
    cuts: int = 0

    def write(self, file: Path) -> None:
        draft = file.with_suffix(".part")
        draft.write_text(json.dumps(vars(self)), encoding="utf-8")
        draft.replace(file)


@dataclass
class Relay:
    to: tuple[str, int]
    file: Path
    orders: Orders = field(default_factory=Orders)
    writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def follow_orders(self) -> None:
        while True:
            orders = Orders(**json.loads(self.file.read_text(encoding="utf-8")))
            if orders.cuts > self.orders.cuts:
                for writer in self.writers:
                    writer.transport.abort()
            self.orders = orders
            await asyncio.sleep(_LOOK_PERIOD_S)

    async def on_connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        to_reader, to_writer = await self._connect()
        pair = {writer, to_writer}
        self.writers |= pair
        try:
            await asyncio.gather(self._pass_on(reader, to_writer), self._pass_on(to_reader, writer))
        except OSError:
            pass  # one side is gone: so is the other
        finally:
            self.writers -= pair
            for each in pair:
                each.close()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Waits for a machine on which nobody listens yet."""
        while True:
            try:
                return await asyncio.open_connection(*self.to)
            except OSError:
                await asyncio.sleep(_LOOK_PERIOD_S)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        now = asyncio.get_running_loop().time

        async def read() -> None:
            piece = b"more"
            while piece:
                piece = await reader.read(_PIECE_BYTES)
                pieces.put_nowait((now() + self.orders.delay_s, piece))

        async def write() -> None:
            while True:
                due_s, piece = await pieces.get()
                while now() < due_s or self.orders.is_stalled:
                    await asyncio.sleep(_LOOK_PERIOD_S)
                if not piece:
                    writer.write_eof()
                    return
                writer.write(piece)
                await writer.drain()

        await asyncio.gather(read(), write())


async def main(listen: str, to: str, file: str) -> None:
    host, port = listen.rsplit(":", 1)
    to_host, to_port = to.rsplit(":", 1)
    relay = Relay((to_host, int(to_port)), Path(file))
    await asyncio.start_server(relay.on_connection, host, int(port))
    print("listening on", listen, flush=True)
    await relay.follow_orders()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
