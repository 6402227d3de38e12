"""Disks that fail: a limit on the size of files for whoever runs the tests, real ones for who may mount some.

The kernel takes what fits below the limit and refuses the rest, as a disk does that is full.
"""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_BALLAST = "ballast"


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


@contextmanager
def small_disk(folder: Path, size: str = "16m") -> Iterator[Path]:
    """A disk of its own at this new folder, in memory. Raises OSError where nobody may mount one."""
    folder.mkdir()
    _call(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)])
    try:
        yield folder
    finally:
        _unmount(folder)


def fill(disk: Path) -> None:
    """Takes all room that there is, to the last page."""
    with (disk / _BALLAST).open("wb", buffering=0) as ballast, suppress(OSError):
        while True:
            ballast.write(bytes(4096))


def make_room(disk: Path) -> None:
    (disk / _BALLAST).unlink()


@contextmanager
def disk_that_breaks(folder: Path) -> Iterator[Path]:
    """A disk with a file system that becomes read-only when it meets an error, open files too: see `break_disk`. Raises
    OSError where nobody may mount one."""
    folder.mkdir()
    image = folder.with_suffix(".image")
    with image.open("wb") as file:
        file.truncate(8 * 2**20)
    _call(["mkfs.ext4", "-q", "-F", "-e", "remount-ro", str(image)])
    _call(["mount", "-o", "loop,errors=remount-ro", str(image), str(folder)])
    try:
        yield folder
    finally:
        _unmount(folder)


def why_no_disks(folder: Path) -> str | None:
    """What stands in the way of disks of their own, a clause; None where nothing does. `folder`: to try it in."""
    try:
        with small_disk(folder), disk_that_breaks(folder / "other"):
            return None
    except OSError as error:
        return str(error)


def break_disk(disk: Path) -> None:
    """Makes its file system read-only, as an error of the device does."""
    major_minor = disk.stat().st_dev
    device = Path(f"/sys/dev/block/{os.major(major_minor)}:{os.minor(major_minor)}").resolve().name
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("a test")


def _call(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(done.stderr.strip())


def _unmount(folder: Path) -> None:
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=60)
