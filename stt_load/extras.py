"""How to install stt-load again, with what an optional part of it needs."""

from __future__ import annotations


def install_command(extra: str | None = None) -> str:
    """The pip command for stt-load, or for one of the extras in pyproject.toml.

    It names a path, of the checkout or the wheel, and never the bare name: nothing called stt-load is on PyPI yet, so
    pip would install whatever somebody else puts there.
    """
    return f"pip install '/path/to/stt-load{f'[{extra}]' if extra else ''}'"
