"""The transformation that matched features agree on, and whether the pixels agree under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Points = NDArray[np.float32]

#: pixels by which a feature may miss its place
_TOLERANCE = 3.0

#: the same for the place that one other feature foretells: its direction and size are known roughly
_FORETOLD = 20.0

#: inliers from which the eight numbers of a perspective are tried, and how many times more of them they must
#: find than the six of an affine map, which are surer
_PERSPECTIVE = 8
_BETTER = 1.1

#: a plausible map stretches one direction at most so many times as much as another, anywhere in the picture,
#: and one place so many times as much as another
_STRETCH = 3.0

#: pixels are compared on a raster of this longest side, in cells of so many pixels, which overlap by half
_SIDE = 128
_CELL = 8

#: variance of luma from which a cell has something to compare
_TEXTURE = 16.0


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A projective map [3, 3] from pixels of the first picture to pixels of the second, and how many features
    lie where it puts them."""

    matrix: Matrix
    inliers: int


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """The common area of two pictures under a map.

    `corners` are those of the area in pixels of the first picture, float64 [N, 2]. `cells` is how many of its
    cells have texture in either picture, and `agreement` the median of their correlations, -1..1; 0 where
    there are none.
    """

    corners: Matrix
    cells: int
    agreement: float


def fit(first: Points, second: Points) -> Fit | None:
    """The map of most of the matched points [M, 4] (x, y, size, direction), or None where there is none.

    Each match foretells by itself how the picture was moved, turned and scaled; the one that most others
    agree with leads (a Hough vote, Lowe 2004, taken over the matches instead of bins). RANSAC among these few
    finds the exact map. So it is quick, the same every time, and chance matches hardly agree.
    """
    if len(first) < 4:
        return None
    start, end = first[:, 0] + 1j * first[:, 1], second[:, 0] + 1j * second[:, 1]
    turn = second[:, 2] / first[:, 2] * np.exp(1j * (second[:, 3] - first[:, 3]))
    missed = np.abs(turn[:, None] * (start[None] - start[:, None]) + end[:, None] - end[None])
    agreeing = missed < _FORETOLD
    chosen = agreeing[agreeing.sum(axis=1).argmax()]
    if chosen.sum() < 4:
        return None
    places = (np.ascontiguousarray(points[chosen, :2]) for points in (first, second))
    return _exact(*places)


def _exact(first: Points, second: Points) -> Fit | None:
    affine, inside = cv2.estimateAffine2D(first, second, ransacReprojThreshold=_TOLERANCE, maxIters=500)
    if affine is None:
        return None
    found = Fit(np.vstack([affine, (0, 0, 1)]).astype(np.float64), int(inside.sum()))
    if found.inliers >= _PERSPECTIVE:
        matrix, inside = cv2.findHomography(first, second, cv2.USAC_MAGSAC, _TOLERANCE, maxIters=500)
        if matrix is not None and inside.sum() >= _BETTER * found.inliers:
            found = Fit(np.asarray(matrix, np.float64), int(inside.sum()))
    return found


def plausible(matrix: Matrix, width: int, height: int) -> bool:
    """Whether a picture of this size can have been photographed or scaled so: no folding, no extremes."""
    corners = np.array([(0, 0, 1), (width, 0, 1), (width, height, 1), (0, height, 1)], float)
    placed = corners @ matrix.T
    if (placed[:, 2] <= 0).any():
        return False
    scales = []
    for x, y, w in placed:
        local = (matrix[:2, :2] - np.outer((x / w, y / w), matrix[2, :2])) / w
        scales.append((*np.linalg.svd(local, compute_uv=False), np.sign(np.linalg.det(local))))
    large, small, side = np.array(scales).T
    even = (large < _STRETCH * small).all() and large.max() < _STRETCH * large.min()
    return bool(abs(side.sum()) == 4 and even)


def overlap(first: NDArray[np.uint8], second: NDArray[np.uint8], matrix: Matrix) -> Overlap | None:
    """How well two luma rasters [H, W] agree where the map lays the first on the second.

    Normalised correlation in small cells, after a low-pass: neither noise nor a change of brightness,
    contrast or colours hurts it, and words or a logo only hurt the cells that they cover, so the median
    passes over them. Another photograph of the same scene, whose features match as well, disagrees nearly
    everywhere.
    None where the pictures do not meet.
    """
    (height, width), (second_height, second_width) = first.shape, second.shape
    corners = _frame(width, height)
    placed = cv2.perspectiveTransform(corners[None], matrix)[0].astype(np.float32)
    area, shared = cv2.intersectConvexConvex(placed, _frame(second_width, second_height).astype(np.float32))
    if area < _CELL**2:
        return None
    shared = cv2.approxPolyDP(shared, 1, True).reshape(-1, 2).astype(np.float64)  # no splinters at corners
    own = cv2.perspectiveTransform(shared[None], np.linalg.inv(matrix))[0]
    enlarged = float(np.sqrt(cv2.contourArea(placed) / (width * height)))
    low, size = shared.min(axis=0), np.ptp(shared, axis=0)
    zoom = min(1.0, 1 / enlarged, _SIDE / size.max())  # compare at the resolution that both have
    raster = (max(1, round(size[0] * zoom)), max(1, round(size[1] * zoom)))
    to_raster = np.array([(zoom, 0, -low[0] * zoom), (0, zoom, -low[1] * zoom), (0, 0, 1)])
    correlations = _correlations(
        cv2.warpPerspective(_soft(first, zoom * enlarged), to_raster @ matrix, raster),
        cv2.warpPerspective(_soft(second, zoom), to_raster, raster),
        cv2.warpPerspective(np.ones_like(first), to_raster @ matrix, raster, flags=cv2.INTER_NEAREST),
    )
    agreement = float(np.median(correlations)) if len(correlations) else 0.0
    return Overlap(own, len(correlations), agreement)


def _frame(width: int, height: int) -> Matrix:
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def _soft(luma: NDArray[np.uint8], zoom: float) -> Any:
    """Blurred so that it can be shrunk by that much."""
    return cv2.GaussianBlur(luma.astype(np.float32), (0, 0), 0.8 / min(1.0, zoom))


def _correlations(first: Any, second: Any, inside: Any) -> NDArray[np.float32]:
    """The correlation of each cell that lies inside and has texture in either, of rasters [H, W]: [cells]."""
    cell, step = (_CELL, _CELL), slice(_CELL // 2, None, _CELL // 2)

    def means(values: Any) -> Any:
        return cv2.boxFilter(values, -1, cell)[step, step]

    first_mean, second_mean = means(first), means(second)
    first_variance = means(first * first) - first_mean**2
    second_variance = means(second * second) - second_mean**2
    covariance = means(first * second) - first_mean * second_mean
    deviations = np.sqrt(np.maximum(first_variance, 1) * np.maximum(second_variance, 1))
    whole = cv2.erode(inside, np.ones(cell, np.uint8), borderValue=0)[step, step] > 0
    textured = whole & (np.maximum(first_variance, second_variance) > _TEXTURE)
    return np.asarray((covariance / deviations)[textured], np.float32)
