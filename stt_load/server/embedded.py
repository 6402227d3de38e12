"""The embedded recogniser: a real one, small enough for any machine. PocketSphinx behind any dialect's voice.

ws  PATH            what the dialect says (`voices/`); /ws?timings=1 for parakeet adds timings to each text
POST PATH           whole files, see `uploads.py`
GET /healthz        {"ready", "callers", "max_callers", "queue", "decoders", "heard_s"}; 503 while it isn't ready
GET /timings        totals and percentiles since the start
"""

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
from stt_load.server.dialects import SERVER_DIALECTS
from stt_load.server.embedded_server import EmbeddedServer
from stt_load.server.frontend import serve
from stt_load.server.language import language_model
from stt_load.server.listener import open_listener
from stt_load.server.pool import DecoderPool
from stt_load.server.uploads import Uploads
from stt_load.server.vad import SAMPLE_RATE_HZ


def default_decoders() -> int:
    """Two, where there are two cores: 20 to 30 callers. More would hide the knee of the demo on a large machine."""
    return min(2, len(os.sched_getaffinity(0)))


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """`warm_up`: segments each decoder recognises before callers are welcome. `nice`: added to the decoders' own.
    `api_key`: what callers must show, in the dialect's own way; None lets everybody in."""

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


def run(options: EmbeddedOptions) -> None:
    """Until SIGTERM or SIGINT. ConfigError before anything was started."""
    try:
        import pocketsphinx  # noqa: F401
    except ImportError:
        raise ConfigError(f"the recogniser is not installed: {install_command('demo')}") from None
    listener = open_listener(options.host, options.port)
    model = language_model(options.texts, options.cache)

    async def main() -> None:
        async with DecoderPool(model, options.decoders, options.nice) as pool:
            room = EmbeddedServer(pool, SERVER_DIALECTS[options.dialect], options.max_callers, options.api_key)

            async def prepare() -> None:
                rounds = max(options.warm_up, 1) if options.preload else options.warm_up
                await pool.warm_up(rounds, _noise(seconds=1))
                room.is_ready = True

            uploads = Uploads(pool, room.timings, options.max_callers, options.api_key, lambda: room.is_ready)
            await serve(listener, room, prepare, options.exit_with_parent, uploads)

    asyncio.run(main())


def _noise(seconds: int) -> bytes:
    """Something to warm up with: quiet noise, the same each time."""
    rng = random.Random(0)
    return array("h", (round(rng.gauss(0, 300)) for _ in range(seconds * SAMPLE_RATE_HZ))).tobytes()
