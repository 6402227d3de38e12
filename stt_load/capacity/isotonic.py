"""The isotonic fit: of all curves that never fall as callers are added, the one closest to the measured shares.

    share of level i             parts of level i / wholes of level i              a level: a number of callers
    fit of level i               pool-adjacent-violators, weighted by wholes       Barlow, Bartholomew, Bremner & Brunk
                                                                                   1972, "Statistical Inference under
                                                                                   Order Restrictions", section 1.2
    levels within the allowed    S(0) = 0, S(i) = S(i − 1) + parts − allowed · wholes;
                                 the last i at which S is smallest

The third row needs no fit: the fit of level i is the largest over a ≤ i of the smallest over b ≥ i of the share of
levels a to b taken together (the max-min formula of the same book), and that share is within the allowed exactly where
S(b) ≤ S(a − 1). So the fit is within the allowed up to the last minimum of S and beyond it after that, for any number
of resamples at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ROUNDING = 1e-9


def isotonic_fit(parts: Floats, wholes: Floats) -> Floats:
    """The fitted share of each level, of shape (levels,). `wholes`: above 0."""
    blocks: list[tuple[float, float, int]] = []  # parts, wholes and levels that were pooled
    for part, whole in zip(parts.tolist(), wholes.tolist(), strict=True):
        levels = 1
        while blocks and blocks[-1][0] * whole >= part * blocks[-1][1]:
            lower_part, lower_whole, lower_levels = blocks.pop()
            part, whole, levels = part + lower_part, whole + lower_whole, levels + lower_levels
        blocks.append((part, whole, levels))
    return np.repeat([part / whole for part, whole, _ in blocks], [levels for _, _, levels in blocks])


def levels_within(parts: Floats, wholes: Floats, allowed: Floats | float) -> NDArray[np.int64]:
    """How many levels, from the lowest, have a fitted share of no more than `allowed`.

    `parts`, `wholes`: of shape (..., levels). `allowed`: of the shape of the result, or one for all.
    """
    excess = np.cumsum(parts - np.expand_dims(np.asarray(allowed), -1) * wholes, axis=-1)
    excess = np.concatenate([np.zeros_like(excess[..., :1]), excess], axis=-1)
    is_lowest = excess <= excess.min(axis=-1, keepdims=True) + _ROUNDING
    return np.asarray(excess.shape[-1] - 1 - is_lowest[..., ::-1].argmax(axis=-1), np.int64)
