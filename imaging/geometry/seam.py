"""The rectangle in which two pictures agree, where they agree in a part only: a tile of a collage."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.cells import CELL, STEP, Cells, shrink
from facsimile.imaging.geometry.difference import Difference, measure
from facsimile.imaging.geometry.homography import Matrix
from facsimile.imaging.geometry.overlap import FINE_SIDE, Common, Luma, lay, refine
from facsimile.imaging.geometry.sharpness import equalise_sharpness

#: correlation from which a cell agrees, and below which it disagrees; what each adds to a rectangle
_AGREES, _DISAGREES = 0.85, 0.6
_GAIN, _LOSS, _DOUBT = 1.0, -2.0, -0.5

#: cells a side of the smallest rectangle, and cells around it that belong to neither side
_LEAST_SIDE = 6
_AROUND = 2

#: brightness that differs by so many standard deviations from the fit within the rectangle disagrees
_OTHER_SHADE = 0.5

#: pixels that the border of the common area is left out by
_BORDER = 2


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    """The rectangle of the common area in which two pictures agree.

    `common` is the common area under the map that was refined within it, with the corners of the tile,
    `difference` what is left of a difference there, `share` its share of the cells of the area, and `outside`
    the share of the other cells that disagree: nearly all where the tile is one picture of a collage, few
    where both were made from one template.
    """

    common: Common
    difference: Difference
    share: float
    outside: float


def find_tile(first: Luma, second: Luma, matrix: Matrix) -> Tile | None:
    """The tile of two luma rasters [H, W] that the map lays on each other; None where there is none."""
    common = lay(first, second, matrix, FINE_SIDE)
    box = None if common is None else _rectangle(common)
    for _ in range(2):  # the map of the tile shows the tile's border more exactly
        if common is None or box is None:
            return None
        chosen = np.zeros_like(common.inside)
        chosen[box[0] * STEP : box[1] * STEP + CELL, box[2] * STEP : box[3] * STEP + CELL] = 1
        nearer = refine(dataclasses.replace(common, inside=chosen & common.inside), smooth=3)
        again = None if nearer is None else lay(first, second, nearer, FINE_SIDE)
        if again is None:
            break
        common, box = again, _rectangle(again)
    return None if common is None or box is None else _judged(common, box)


def _judged(common: Common, box: tuple[int, int, int, int]) -> Tile | None:
    top, bottom, left, right = box
    inside = shrink(common.inside, _BORDER)
    tile = np.zeros_like(inside)
    tile[top * STEP : bottom * STEP + CELL, left * STEP : right * STEP + CELL] = 1
    first, second = equalise_sharpness(common.first, common.second, tile & inside)
    cells = _cells(common)
    whole = cells.whole
    within, apart = np.zeros_like(whole), np.ones_like(whole)
    within[top + 1 : bottom - 1, left + 1 : right - 1] = True
    apart[max(top - _AROUND, 0) : bottom + _AROUND, max(left - _AROUND, 0) : right + _AROUND] = False
    found = measure(first, second, inside, within)
    beyond = whole & apart
    if found is None or not beyond.any():
        return None
    ours, theirs = cells.means
    slope, level = np.polyfit(theirs[whole & within], ours[whole & within], 1)
    shade = np.abs(ours - slope * theirs - level) / max(float(ours[whole & within].std()), 8)
    differs = (cells.textured & (cells.correlation < _DISAGREES)) | (shade > _OTHER_SHADE)
    share = float((whole & within).sum() / whole.sum())
    low, high = (left * STEP, top * STEP), (right * STEP + CELL, bottom * STEP + CELL)
    placed = np.array([[low, (high[0], low[1]), high, (low[0], high[1])]], np.float64)
    corners = cv2.perspectiveTransform(placed, np.linalg.inv(common.placed @ common.matrix))[0]
    return Tile(dataclasses.replace(common, corners=corners), found, share, float(differs[beyond].mean()))


def _cells(common: Common) -> Cells:
    return Cells.of(common.first, common.second, shrink(common.inside, _BORDER))


def _rectangle(common: Common) -> tuple[int, int, int, int] | None:
    """Top, bottom, left and right, in cells, of the rectangle in which most cells agree."""
    cells = _cells(common)
    if min(cells.whole.shape) < _LEAST_SIDE:
        return None
    agrees, disagrees = cells.correlation >= _AGREES, cells.correlation < _DISAGREES
    score = np.where(agrees, _GAIN, np.where(disagrees, _LOSS, _DOUBT))
    top, bottom, left, right = _heaviest(np.where(cells.textured, score, 0.0))
    large = bottom - top >= _LEAST_SIDE and right - left >= _LEAST_SIDE
    return (top, bottom, left, right) if large else None


def _heaviest(score: NDArray[np.float64]) -> tuple[int, int, int, int]:
    """The rectangle of the largest sum (Kadane's method over the columns, for all pairs of rows at once)."""
    rows, columns = score.shape
    sums = np.vstack([np.zeros((1, columns)), np.cumsum(score, axis=0)])
    top, bottom = np.triu_indices(rows + 1, _LEAST_SIDE)
    strips = sums[bottom] - sums[top]
    current, start = np.zeros(len(top)), np.zeros(len(top), np.intp)
    best, left, right = np.full(len(top), -np.inf), start.copy(), start.copy()
    for column in range(columns):
        anew = current <= 0
        current = np.where(anew, 0, current) + strips[:, column]
        start = np.where(anew, column, start)
        better = current > best
        best = np.where(better, current, best)
        left, right = np.where(better, start, left), np.where(better, column + 1, right)
    chosen = int(np.argmax(best))
    return int(top[chosen]), int(bottom[chosen]), int(left[chosen]), int(right[chosen])
