"""Lines of `nvidia-smi dmon` -> GpuSample. The header says where each column is; nothing is read by position.

    # gpu     sm    mem    enc    dec    jpg    ofa     fb   bar1   ccpm      the header: names
    # Idx      %      %      %      %      %      %     MB     MB     MB      units: left aside
        0     45     32      0      0      0      0   1842      5      0      a row, one for each GPU

dmon repeats the header from time to time, and a driver may change it. `-` means that the card can't tell.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gpu_sidecar.columns import BY_DMON_NAME

# What `-s um` gave before drivers grew more columns, cut to what we need: used until a header is seen.
_DEFAULT_LAYOUT = ("gpu", "sm", "mem", "fb")

# float() would also take "nan", "inf" and "1_000"; ever longer digits would make int() raise.
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_INDEX = re.compile(r"[0-9]{1,4}")


@dataclass(frozen=True)
class GpuSample:
    """One row of one GPU. `values` holds our field names (`columns.py`); None is what the card can't tell."""

    gpu: int
    values: Mapping[str, float | None]

    @property
    def sm_pct(self) -> float | None:
        return self.values.get("sm_pct")

    @property
    def mem_pct(self) -> float | None:
        return self.values.get("mem_pct")

    @property
    def fb_mib(self) -> float | None:
        return self.values.get("fb_mib")


class DmonParser:
    """Feed it lines in the order they came. Nothing that a line holds makes it raise."""

    def __init__(self) -> None:
        self._layout: tuple[str, ...] = _DEFAULT_LAYOUT

    def feed(self, line: str) -> GpuSample | None:
        """The line's sample, or None for a header, units, dashes, a blank or torn line, or anything else."""
        text = line.strip()
        if text.startswith("#"):
            self._read_header(text)
            return None
        return self._read_row(text.split())

    def _read_header(self, text: str) -> None:
        # With `-o DT` the header starts "#Date" without a space.
        names = tuple(text.lstrip("#").lower().split())
        if "gpu" in names:  # else the units line
            self._layout = names

    def _read_row(self, cells: list[str]) -> GpuSample | None:
        # A row with more or fewer cells is torn, or its header was: which cell is which can't be known.
        if len(cells) != len(self._layout):
            return None
        index = cells[self._layout.index("gpu")]
        if not _INDEX.fullmatch(index):
            return None
        values = {
            BY_DMON_NAME[name].field: _number(cells[position])
            for position, name in enumerate(self._layout)
            if name in BY_DMON_NAME
        }
        return GpuSample(gpu=int(index), values=values)


def _number(cell: str) -> float | None:
    if not _NUMBER.fullmatch(cell):
        return None  # "-", "N/A" and rubbish
    return float(cell) if "." in cell else int(cell)
