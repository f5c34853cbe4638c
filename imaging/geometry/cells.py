"""Rasters as overlapping cells: the unit in which pixels are compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: a cell has so many pixels a side, and one begins every `STEP` pixels
CELL = 8
STEP = CELL // 2

#: correlation from which a cell agrees
AGREES = 0.9

#: variance of luma from which a cell has something to compare
_TEXTURE = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The cells of two rasters, each field [rows, columns].

    `means` and `variances` are those of luma in both rasters, `correlation` is that of the two, -1..1.
    `whole` says which cells lie inside, `textured` which of them have something to compare in either raster.
    """

    means: tuple[Any, Any]
    variances: tuple[Any, Any]
    correlation: NDArray[np.float32]
    whole: NDArray[np.bool_]
    textured: NDArray[np.bool_]

    @property
    def agreeing(self) -> float:
        """The share of the textured cells that agree; 0 where there are none."""
        counted = self.correlation[self.textured]
        return float((counted >= AGREES).mean()) if len(counted) else 0.0

    @classmethod
    def of(cls, first: Any, second: Any, inside: Any, step: int = STEP) -> Cells:
        """The cells of rasters, float32 [H, W], one each `step` pixels; inside is where the mask is 1."""
        means_of = (cell_means(first, step), cell_means(second, step))
        variances = (
            np.maximum(cell_means(first * first, step) - means_of[0] ** 2, 0),
            np.maximum(cell_means(second * second, step) - means_of[1] ** 2, 0),
        )
        covariance = cell_means(first * second, step) - means_of[0] * means_of[1]
        deviations = np.sqrt(np.maximum(variances[0], 1) * np.maximum(variances[1], 1))
        whole = at_cells(cv2.erode(inside, np.ones((CELL, CELL), np.uint8), borderValue=0), step) > 0
        textured = whole & (np.maximum(*variances) > _TEXTURE)
        return cls(means_of, variances, np.asarray(covariance / deviations, np.float32), whole, textured)


def cell_means(values: Any, step: int = STEP) -> Any:
    """The mean of each cell of a raster [H, W] or [H, W, 2], one each `step` pixels, in the same shape."""
    return at_cells(cv2.boxFilter(values, -1, (CELL, CELL)), step)


def at_cells(raster: Any, step: int = STEP) -> Any:
    """The values of a raster [H, W] at the middle of each cell, one each `step` pixels."""
    return raster[CELL // 2 :: step, CELL // 2 :: step]


def median(values: Any) -> float:
    """The median of a vector that is not empty: numpy's own takes several times as long for a few hundred."""
    middle = len(values) // 2
    if len(values) % 2:
        return float(np.partition(values, middle)[middle])
    lower, upper = np.partition(values, (middle - 1, middle))[middle - 1 : middle + 1]
    return float((lower + upper) / 2)


def shrink(inside: Any, pixels: int) -> Any:
    """A mask, uint8 [H, W], without so many pixels along its border."""
    return cv2.erode(inside, np.ones((2 * pixels + 1,) * 2, np.uint8), borderValue=0)
