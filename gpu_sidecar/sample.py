"""One reading of one device."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Sample:
    """`values` holds fields of `metrics.py`; None is what the device can't tell.

    `kind` is `gpu`, `host` or `process`. `gpu` is the GPU's index, None for the other kinds; `mig` the MIG device's
    number on that GPU, None for a whole GPU. `fault` is what the tool said in place of figures, in its own words.
    `age_s`: how long ago it was taken, for one that could not be read at once.
    """

    kind: str
    values: Mapping[str, float | None]
    gpu: int | None = None
    mig: int | None = None
    fault: str = ""
    age_s: float = 0.0

    @property
    def has_values(self) -> bool:
        return any(value is not None for value in self.values.values())
