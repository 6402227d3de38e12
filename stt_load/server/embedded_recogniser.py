"""The embedded recogniser: a real one, small enough for any machine. PocketSphinx behind any server dialect."""

from __future__ import annotations

import asyncio
import os
import random
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stt_load.errors import ConfigError
from stt_load.extras import install_command
from stt_load.server.decoder_pool import DecoderPool
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.language import language_model
from stt_load.server.listener import open_listener, url_of
from stt_load.server.vad import SAMPLE_RATE_HZ


def default_decoders() -> int:
    """Two, where there are two cores: 20 to 30 callers. More would hide the knee of the demo on a large machine."""
    return min(2, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class RecogniserOptions:
    """The options of `stt-load serve`. `warm_up`: segments that each decoder recognises before the server is ready.
    `nice`: added to the decoders' own niceness. `api_key`: what callers must show, in the dialect's own way; None lets
    everybody in."""

    texts: Sequence[str]
    cache: Path
    dialect: str = "parakeet"
    host: str = "127.0.0.1"
    port: int = 8000
    max_callers: int = 64
    decoders: int = 2
    preload: bool = True
    warm_up: int = 1
    nice: int = 10
    exit_with_parent: bool = False
    api_key: str | None = field(default=None, repr=False)


def run_recogniser(options: RecogniserOptions) -> None:
    """Runs until an ending signal. Raises ConfigError before anything was started."""
    try:
        import pocketsphinx  # noqa: F401 - the decoders need it

        from stt_load.server.embedded_server import EmbeddedServer
        from stt_load.server.http_server import serve
    except ImportError:
        raise ConfigError(f"the recogniser is not installed: {install_command('demo')}") from None
    listener = open_listener(options.host, options.port)
    model = language_model(options.texts, options.cache)

    async def main() -> None:
        async with DecoderPool(model, options.decoders, options.nice) as pool:
            server = EmbeddedServer(pool, SERVER_DIALECTS[options.dialect], options.max_callers, options.api_key)

            async def prepare() -> None:
                rounds = max(options.warm_up, 1) if options.preload else options.warm_up
                await pool.warm_up(rounds, _noise(seconds=1))
                server.is_ready = True

            await serve(server, listener, url_of(listener, "ws", server.path), options.exit_with_parent, prepare)

    asyncio.run(main())


def _noise(seconds: int) -> bytes:
    """Quiet noise to warm up with, the same each time: int16 LE mono 16 kHz."""
    rng = random.Random(0)
    return array("h", (round(rng.gauss(0, 300)) for _ in range(seconds * SAMPLE_RATE_HZ))).tobytes()
