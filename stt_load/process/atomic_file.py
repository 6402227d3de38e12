"""Writes a file in one step, so that a reader sees the old content or the new one, and never half of it."""

from __future__ import annotations

import errno
import uuid
from pathlib import Path

from stt_load.errors import ConfigError, WriteError
from stt_load.text.whole_characters import with_whole_characters

_WRONG_PATH = {errno.EACCES, errno.EEXIST, errno.EISDIR, errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EPERM}


def write_atomically(path: Path, content: str | bytes, *, make_folder: bool = False, advice: str = "") -> None:
    """Replaces `path`. Several processes may write the same file at once: the last one to finish wins.

    Text is written as UTF-8, and half of a character as U+FFFD: what was measured isn't lost to a server's bad text.
    `make_folder`: create the folder if it is missing. Raises an error with one line that ends with `advice`, and leaves
    nothing behind: ConfigError for a path at which no file can be, WriteError for a disk that is full or broken.
    """
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        if make_folder:
            path.parent.mkdir(parents=True, exist_ok=True)
        try:
            draft.write_bytes(with_whole_characters(content).encode() if isinstance(content, str) else content)
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        line = f"{path} can't be written: {error.strerror}"
        raise write_error(f"{line}; {advice}" if advice else line, error) from error


def write_error(line: str, error: OSError) -> ConfigError:
    """What to raise with this line: a ConfigError for a path at which no file can be, else a WriteError."""
    return ConfigError(line) if error.errno in _WRONG_PATH else WriteError(line)
