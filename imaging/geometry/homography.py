"""The transformation that matched features agree on."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A projective map [3, 3] from pixels of the first picture to pixels of the second, and how many features
    lie where it puts them."""

    matrix: Matrix
    inliers: int


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
