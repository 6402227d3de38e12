"""Keys that nobody can foresee, for masks and upgrades: fetched from the system by the thousand, since asking it for
each costs more than the rest of an upgrade's request."""

from __future__ import annotations

import itertools
import os
import struct
from collections.abc import Iterator

_AT_ONCE_BYTES = 16_384


def random_keys(n_bytes: int) -> Iterator[bytes]:
    """Endless keys of `n_bytes` from the system's random source, each given once."""

    def fetch() -> Iterator[tuple[bytes]]:
        return struct.iter_unpack(f"{n_bytes}s", os.urandom(_AT_ONCE_BYTES // n_bytes * n_bytes))

    # No generator: while one waits for the system, another thread that asks for a key would end it for all.
    return itertools.chain.from_iterable(itertools.chain.from_iterable(iter(fetch, None)))
