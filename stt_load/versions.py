"""Versions of installed packages, as every record of a measurement carries them."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, version

from stt_load import __version__


def installed_version(package: str) -> str | None:
    """The version of an installed package by its name on PyPI, or None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def describe_versions(packages: Iterable[str]) -> dict[str, str]:
    """The versions of stt-load, of Python and of `packages`, by name."""
    own = {"stt-load": __version__, "python": platform.python_version()}
    return own | {package: installed_version(package) or "not installed" for package in packages}
