"""A change of brightness and contrast undone, also one that clips light or shadow."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: the luma range 0..255 is fitted at so many places, each by at least so many pixels
_BINS = 32
_LEAST = 8

#: medians are exact to this part of a level of luma
_STEPS = 4


def match_tone(first: Any, second: Any, inside: Any) -> Any | None:
    """The first raster, float32 [H, W], with the tones of the second: under the non-decreasing curve through
    the medians of the second at each luma of the first, where `inside` is true; None where it has one tone.

    The curve never turns, so that a negative, or another arrangement of colours, stays different.
    """
    one, other = first[inside], second[inside]
    bins = np.clip((one * (_BINS / 256)).astype(np.intp), 0, _BINS - 1)
    levels = np.clip((other * _STEPS).astype(np.intp), 0, 256 * _STEPS - 1)
    counts = np.bincount(bins * 256 * _STEPS + levels, minlength=_BINS * 256 * _STEPS)
    below = counts.reshape(_BINS, 256 * _STEPS).cumsum(axis=1)
    sizes = below[:, -1]
    usable = sizes >= _LEAST
    if usable.sum() < 2:
        return None
    lumas = np.bincount(bins, one, _BINS)[usable] / sizes[usable]
    medians = ((2 * below >= sizes[:, None]).argmax(axis=1)[usable] + 0.5) / _STEPS
    curve = _non_decreasing(medians, sizes[usable].astype(float))
    return np.interp(first, lumas, curve).astype(np.float32)


def _non_decreasing(values: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """The nearest sequence that never falls: pooling of adjacent violators (Ayer et al. 1955)."""
    pools: list[tuple[float, float, int]] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        pool = (value, weight, 1)
        while pools and pools[-1][0] > pool[0]:
            last = pools.pop()
            total = last[1] + pool[1]
            pool = ((last[0] * last[1] + pool[0] * pool[1]) / total, total, last[2] + pool[2])
        pools.append(pool)
    return np.repeat([value for value, _, _ in pools], [count for _, _, count in pools])
