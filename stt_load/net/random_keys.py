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
    return itertools.chain.from_iterable(itertools.chain.from_iterable(_pieces(n_bytes)))


def _pieces(n_bytes: int) -> Iterator[Iterator[tuple[bytes]]]:
    while True:
        yield struct.iter_unpack(f"{n_bytes}s", os.urandom(_AT_ONCE_BYTES // n_bytes * n_bytes))
