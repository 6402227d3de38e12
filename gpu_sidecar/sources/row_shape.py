"""Maps the cells of a row to metrics, by the header that the tool printed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpu_sidecar.metrics import GPU, Metric
from gpu_sidecar.nvidia_smi_errors import is_away
from gpu_sidecar.sample import Sample

# float() would also take "nan", "inf" and "1_000"; ever longer digits would make int() raise.
_DECIMAL = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,15})?")
_BITS = re.compile(r"0x[0-9a-fA-F]{1,16}")
_INDEX = re.compile(r"[0-9]{1,4}")
_NO_MIG = ("-", "n/a")
_WORDS = re.compile(r"\[.+\]")


@dataclass(frozen=True)
class RowShape:
    """The meaning of each cell of a row with `n_cells` cells.

    `gpu_at` is the position of the GPU's index, `mig_at` that of the MIG device's number (None: no such column).
    `fields` has the position and the field of every cell that is a metric of ours.
    """

    n_cells: int
    gpu_at: int
    mig_at: int | None
    fields: tuple[tuple[int, str], ...]

    def read(self, cells: Sequence[str]) -> Sample | None:
        """The row's sample; None if the cells don't have this shape, so that their meaning is unknown."""
        if len(cells) != self.n_cells or not _INDEX.fullmatch(cells[self.gpu_at]):
            return None
        mig = None if self.mig_at is None else cells[self.mig_at].lower()
        if mig in _NO_MIG:
            mig = None
        if mig is not None and not _INDEX.fullmatch(mig):
            return None  # an unknown part of a GPU must not be taken for the whole
        words = [cell for cell in cells if _WORDS.fullmatch(cell)]
        # A GPU that is away still has a 0 in some columns, which nobody has measured.
        away = next(filter(is_away, words), "")
        values: dict[str, float | None] = {
            field: None if away else parse_number(cells[position]) for position, field in self.fields
        }
        has_values = any(value is not None for value in values.values())
        fault = away or ("" if has_values else next(iter(words), ""))
        return Sample(GPU, values, int(cells[self.gpu_at]), None if mig is None else int(mig), fault)


def shape_of(names: Sequence[str], metrics: Mapping[str, Metric], index: str) -> RowShape | None:
    """The shape of rows under a header with these names; columns that `metrics` doesn't know are ignored.

    None if rows can't be read: there is no `index` column, no metric of ours, or a name twice (two headers in one).
    """
    if index not in names or len(set(names)) != len(names):
        return None
    fields = tuple((position, metrics[name].field) for position, name in enumerate(names) if name in metrics)
    if not fields:
        return None
    return RowShape(len(names), names.index(index), names.index("mig") if "mig" in names else None, fields)


def parse_number(cell: str) -> float | None:
    """The number in a cell, a hexadecimal bit mask too; None for `-`, `N/A`, `[Not Supported]` and anything else."""
    if _DECIMAL.fullmatch(cell):
        return float(cell) if "." in cell else int(cell)
    return int(cell, 16) if _BITS.fullmatch(cell) else None
