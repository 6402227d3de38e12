"""A disk that has no room left and gets some again, for whoever runs the tests: a limit on the size of files.

The kernel takes what fits below the limit and refuses the rest, as a disk does that is full.
"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager


def set_room(size_bytes: int | None, pid: int = 0) -> None:
    """No file of the process may grow beyond this size from now on; None: any may. `pid` 0 is this process."""
    _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard if size_bytes is None else size_bytes, hard))


@contextmanager
def no_room_beyond(size_bytes: int) -> Iterator[None]:
    """Within, no file of this process grows beyond this size."""
    set_room(size_bytes)
    try:
        yield
    finally:
        set_room(None)
