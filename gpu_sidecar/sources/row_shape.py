"""Which cell of a row is which metric. That comes from the header that the tool printed, never from our memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpu_sidecar.metrics import GPU, Metric
from gpu_sidecar.sample import Sample

# float() would also take "nan", "inf" and "1_000"; ever longer digits would make int() raise.
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_BITS = re.compile(r"0x[0-9a-fA-F]{1,16}")
_INDEX = re.compile(r"[0-9]{1,4}")
_NO_MIG = ("-", "n/a")


@dataclass(frozen=True)
class RowShape:
    """A row has `n_cells`; the GPU's index is at `gpu_at`, the MIG device's number at `mig_at` (None: no such column).

    `fields`: position and field of every cell that is a metric of ours.
    """

    n_cells: int
    gpu_at: int
    mig_at: int | None
    fields: tuple[tuple[int, str], ...]

    def read(self, cells: Sequence[str]) -> Sample | None:
        """None where the cells aren't a row of this shape: which cell is which can't be known then."""
        if len(cells) != self.n_cells or not _INDEX.fullmatch(cells[self.gpu_at]):
            return None
        mig = None if self.mig_at is None else cells[self.mig_at].lower()
        if mig in _NO_MIG:
            mig = None
        if mig is not None and not _INDEX.fullmatch(mig):
            return None  # a part of a GPU, we can't tell which: never to be taken for the whole
        values: dict[str, float | None] = {field: number(cells[position]) for position, field in self.fields}
        return Sample(GPU, values, int(cells[self.gpu_at]), None if mig is None else int(mig))


def shape_of(names: Sequence[str], metrics: Mapping[str, Metric], index: str) -> RowShape | None:
    """The shape of rows under a header of these names; columns that `metrics` doesn't know are left aside.

    None where nothing can be read: no `index` column, none of ours, or a name that stands twice (two headers in one).
    """
    if index not in names or len(set(names)) != len(names):
        return None
    fields = tuple((position, metrics[name].field) for position, name in enumerate(names) if name in metrics)
    if not fields:
        return None
    return RowShape(len(names), names.index(index), names.index("mig") if "mig" in names else None, fields)


def number(cell: str) -> float | None:
    """None for `-`, `N/A`, `[Not Supported]` and rubbish. A bit mask in hexadecimal is a number."""
    if _DECIMAL.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return int(cell, 16) if _BITS.fullmatch(cell) else None
