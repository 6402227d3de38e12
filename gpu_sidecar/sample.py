"""One reading of one device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Mapping, Optional


@dataclass(frozen=True)
class Sample:
    """`values` holds fields of `metrics.py`; None is what the device can't tell.

    `kind` is `gpu`, `host` or `process`. `gpu` is the GPU's index, None for the other kinds; `mig` the MIG device's
    number on that GPU, None for a whole GPU.
    """

    kind: str
    values: Mapping[str, Optional[float]]
    gpu: Optional[int] = None
    mig: Optional[int] = None
