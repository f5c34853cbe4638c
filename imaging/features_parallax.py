"""Whether parts of two pictures moved against each other: then they are two shots, however alike."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from imaging.features_overlap import CELL, Common, correlations

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
    table, counted = correlations(common.first, moved, common.inside, step=CELL)
    found = counted & (table >= _FOUND) & (_clipped(common.first, common.second) <= _CLIPPED)
    if found.sum() < _LEAST:
        return None
    start = np.argwhere(found)[:, ::-1].astype(np.float32) * CELL + CELL // 2
    residual = _residual(start, start + _means(flow)[found])
    noise = _PER_NOISE * (1 - float(np.median(table[found])))
    return None if residual is None else max(0.0, residual - noise)


def _residual(start: NDArray[np.float32], end: NDArray[np.float32]) -> float | None:
    """By how much the places [N, 2] miss the projective map that most of them share."""
    shared, _ = cv2.findHomography(start, end, cv2.LMEDS)
    if shared is None:
        return None
    missed = _missed(start, end, shared)
    near = missed <= max(0.3, 2.5 * float(np.median(missed)))
    nearer, _ = cv2.findHomography(start[near], end[near], 0)
    if nearer is not None:
        again = _missed(start, end, nearer)
        missed = again if np.median(again) < np.median(missed) else missed
    return float(np.percentile(missed, _PERCENTILE))


def _missed(start: NDArray[np.float32], end: NDArray[np.float32], matrix: Any) -> NDArray[np.float32]:
    return np.asarray(np.linalg.norm(cv2.perspectiveTransform(start[None], matrix)[0] - end, axis=1))


def _clipped(first: Any, second: Any) -> Any:
    """The share of pixels of each cell that are black or white in the one picture or the other."""
    one, other = (_means(((luma < _DARK) | (luma > _BRIGHT)).astype(np.float32)) for luma in (first, second))
    return np.maximum(one, other)


def _means(values: Any) -> Any:
    return cv2.boxFilter(values, -1, (CELL, CELL))[CELL // 2 :: CELL, CELL // 2 :: CELL]


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
