"""One sample as a few numbers in bytes: what hours of samples are kept as.

A GPU's sample of 21 values takes 0.3 kB that way; as Python objects it takes some four times as much.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable
from typing import NamedTuple

from gpu_sidecar.sample import Sample

_NOT_KNOWN = math.nan
_N_CLOCKS = 2  # wall and monotonic, in front of the values


class DeviceKey(NamedTuple):
    """Whose sample it is: see `Sample`."""

    kind: str
    gpu: int | None
    mig: int | None


class Layout(NamedTuple):
    """What the numbers of a packed sample are: one layout for all samples of a device with the same fields."""

    device: DeviceKey
    fields: tuple[str, ...]


def layout_of(sample: Sample) -> Layout:
    return Layout(DeviceKey(sample.kind, sample.gpu, sample.mig), tuple(sample.values))


def pack(sample: Sample, wall: float, mono: float) -> bytes:
    """Both clocks and the values in the order of its layout. What is no finite number counts as not known."""
    values = (_NOT_KNOWN if value is None else float(value) for value in sample.values.values())
    return array("d", [wall, mono, *(value if math.isfinite(value) else _NOT_KNOWN for value in values)]).tobytes()


def unpack(layout: Layout, packed: bytes) -> tuple[Sample, float, float]:
    """The sample and both its clocks; whole numbers come out whole, as the tools print them."""
    wall, mono, *numbers = array("d", packed)
    values: dict[str, float | None] = {}
    for field, number in zip(layout.fields, numbers):  # noqa: B905 - `strict` came with Python 3.10
        values[field] = None if math.isnan(number) else int(number) if number.is_integer() else number
    kind, gpu, mig = layout.device
    return Sample(kind, values, gpu, mig), wall, mono


def columns(layout: Layout, many: Iterable[bytes]) -> dict[str, list[float]]:
    """Field -> its known values over many samples of one layout. Quicker than unpacking each."""
    numbers = array("d", b"".join(many))
    width = _N_CLOCKS + len(layout.fields)
    return {
        field: [number for number in numbers[place::width] if number == number]  # NaN is unequal to itself
        for place, field in enumerate(layout.fields, start=_N_CLOCKS)
    }
