"""Reads lists of clips and texts of clips, as people and data sets write them."""

from __future__ import annotations

from pathlib import Path

from stt_load.errors import ConfigError

_HEAD_CHARS = 64 * 1024  # of a list: enough to know it by


def head_of(path: Path) -> str:
    """The first 64 Ki characters of a file, whatever is in it; "" where it can't be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            return file.read(_HEAD_CHARS)
    except OSError:
        return ""


def decoded(data: bytes) -> str:
    """The text of a file in UTF-8, or in UTF-16 where it says so (Windows). Raises UnicodeDecodeError."""
    return data.decode("utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig")


def text_of(path: Path) -> str:
    """The whole text of a list. Raises ConfigError where it can't be read."""
    try:
        return decoded(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"{path}: can't be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: can't be read as UTF-8 ({error}): convert it (iconv -t utf-8)") from None
