"""Whether parts of two pictures moved against each other: then they are two shots, however alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.cells import CELL, Cells, cell_means
from facsimile.imaging.geometry.overlap import Common

#: cells count whose pixels correlate at least so well where the flow finds them again, and so many are needed
_FOUND = 0.8
_LEAST = 12

#: share of a cell's pixels that may be black or white, or nearly: where light was clipped, edges move
_CLIPPED = 0.1
_DARK, _BRIGHT = 5, 250

#: of how far these cells moved, this percentile is told: words and logos cover less than the rest
_PERCENTILE = 60

#: pixels by which the flow errs for the share of their texture in which the found cells still differ: strong
#: compression and blur move them about at random
_PER_NOISE = 10.0

#: standard deviation, in pixels, of the surroundings that brightness and contrast are evened out to
_AROUND = 8.0


def parallax(common: Common) -> float | None:
    """How far cells of the common area moved beside the one map that they share, in pixels of its raster
    (at most 128 on the longer side); None where too little is found again to tell.

    However a copy was edited, one projective map lays all of it on the original. Between two photographs of a
    scene the camera, a face, a machine has moved, and near and far, left and right disagree by a fraction of
    a pixel. The flow (DIS, Kroeger et al. 2016) finds each cell again, and the map that most of its movements
    share is taken off, and then what noise explains.
    """
    first, second = _even(common.first), _even(common.second)
    flow = _flow().calc(first, second, None)
    height, width = first.shape
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    moved = cv2.remap(common.second, columns + flow[..., 0], rows + flow[..., 1], cv2.INTER_LINEAR)
    cells = Cells.of(common.first, moved, common.inside, CELL)
    table = cells.correlation
    found = cells.textured & (table >= _FOUND) & (_clipped(common.first, common.second) <= _CLIPPED)
    if found.sum() < _LEAST:
        return None
    start = np.argwhere(found)[:, ::-1].astype(np.float32) * CELL + CELL // 2
    missed = _missed(start, start + cell_means(flow, CELL)[found])
    if missed is None:
        return None
    noise = _PER_NOISE * (1 - float(np.median(table[found])))
    moves = _across(missed, common.first, found)
    return max(0.0, float(np.percentile(moves, _PERCENTILE)) - noise)


def _missed(start: NDArray[np.float32], end: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """By how much places [N, 2] miss the projective map that most of them share."""
    shared, _ = cv2.findHomography(start, end, cv2.LMEDS)
    if shared is None:
        return None
    missed = _beside(start, end, shared)
    far = np.linalg.norm(missed, axis=1)
    near = far <= max(0.3, 2.5 * float(np.median(far)))
    nearer, _ = cv2.findHomography(start[near], end[near], 0)
    if nearer is None:
        return missed
    again = _beside(start, end, nearer)
    return again if np.median(np.linalg.norm(again, axis=1)) < np.median(far) else missed


def _beside(start: NDArray[np.float32], end: NDArray[np.float32], matrix: Any) -> NDArray[np.float32]:
    return np.asarray(end - cv2.perspectiveTransform(start[None], matrix)[0], np.float32)


def _across(missed: NDArray[np.float32], luma: Any, found: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far the found cells moved across their edges, [N]: along an edge, and where there is none, nobody
    can tell (the structure tensor of Förstner, Gülch 1987, weighs the directions)."""
    right, down = (cv2.Sobel(luma, cv2.CV_32F, *order) for order in ((1, 0), (0, 1)))
    xx, yy, xy = (cell_means(product, CELL)[found] for product in (right * right, down * down, right * down))
    strongest = (xx + yy) / 2 + np.sqrt((xx - yy) ** 2 / 4 + xy**2)
    x, y = missed.T
    seen = np.maximum(xx * x**2 + yy * y**2 + 2 * xy * x * y, 0)
    return np.asarray(np.sqrt(seen / np.maximum(strongest, 1e-6)), np.float32)


def _clipped(first: Any, second: Any) -> Any:
    """The share of pixels of each cell that are black or white in the one picture or the other."""
    one, other = (
        cell_means(((luma < _DARK) | (luma > _BRIGHT)).astype(np.float32), CELL) for luma in (first, second)
    )
    return np.maximum(one, other)


def _even(luma: Any) -> NDArray[np.uint8]:
    """Brightness and contrast as in the surroundings taken off, since the flow expects the same of both."""
    mean = cv2.GaussianBlur(luma, (0, 0), _AROUND)
    spread = np.sqrt(cv2.GaussianBlur((luma - mean) ** 2, (0, 0), _AROUND)) + 4
    return np.asarray(np.clip(128 + 40 * (luma - mean) / spread, 0, 255), np.uint8)


def _flow() -> Any:
    """A new one each time, since it keeps what it works on, and threads would meet in it."""
    flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    flow.setFinestScale(0)
    return flow
