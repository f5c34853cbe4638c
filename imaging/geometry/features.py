"""Local features: points of a picture that are found again in an edited copy, and which of two are the same.

ORB (Rublee et al. 2011) is quick. SIFT (Lowe 2004), as its square root (Arandjelović, Zisserman 2012), finds
more where a picture is blurred or has become small. OpenCV is used in `facsimile.imaging.geometry` only.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

Kind = Literal["orb", "sift"]

#: features of one picture at most, the strongest
_MOST = {"orb": 500, "sift": 700}

#: the same of a coarse look, and the longer side of its raster: half the time
_MOST_COARSE = 400
_COARSE_SIDE = 240

#: numbers of one descriptor
_LENGTH = {"orb": 32, "sift": 128}

#: a nearest feature counts when it is nearer than this share of the way to the second nearest (Lowe's ratio)
_RATIO = 0.8

#: ORB finds next to nothing in pictures with a longer side below this, so they are enlarged to it
_LEAST_SIDE = 200

_NONE = np.empty(0, np.float32)

cv2.setNumThreads(1)  # many processes share the cores


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """The features of one picture of some `kind`.

    `points` is float32 [N, 4]: x and y in pixels, size in pixels, direction in radians. `descriptors` is
    uint8 [N, 32] (ORB, compared by Hamming distance) or float32 [N, 128] (SIFT, Euclidean).
    """

    kind: Kind
    points: NDArray[np.float32]
    descriptors: NDArray[Any]


def features(luma: NDArray[np.uint8], kind: Kind, *, coarse: bool = False) -> Features:
    """The features of a luma raster [H, W]; none where it is blank or tiny. SIFT can look coarsely."""
    raster: Any = np.ascontiguousarray(luma)
    scale = max(1.0, _LEAST_SIDE / max(luma.shape)) if kind == "orb" else 1.0
    if coarse and kind == "sift":
        scale = min(1.0, _COARSE_SIDE / max(luma.shape))
    if scale != 1:
        smooth = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
        raster = cv2.resize(raster, None, fx=scale, fy=scale, interpolation=smooth)
    found, values = _detector(kind, coarse).detectAndCompute(raster, None)
    if values is None:
        return Features(kind, np.empty((0, 4), np.float32), np.empty((0, _LENGTH[kind]), np.uint8))
    rows = [(*point.pt, point.size, np.deg2rad(point.angle)) for point in found]
    points = np.array(rows, np.float32)
    points[:, :3] /= scale
    if kind == "sift":
        values = np.sqrt(values / np.maximum(values.sum(axis=1, keepdims=True), 1e-9))
    return Features(kind, points, values)


@lru_cache(maxsize=4)
def _detector(kind: Kind, coarse: bool) -> Any:
    if kind == "orb":
        return cv2.ORB.create(_MOST["orb"], edgeThreshold=15, fastThreshold=7)
    return cv2.SIFT.create(_MOST_COARSE if coarse else _MOST["sift"], contrastThreshold=0.02)


def reflected(found: Features, width: int) -> Features:
    """The features of SIFT that the picture of this width in pixels has when it is mirrored left to right.

    A descriptor counts gradients in 4 rows and 4 columns along its feature's direction, by 8 directions each;
    the mirror swaps the rows and turns the directions round.
    """
    points = found.points.copy()
    points[:, 0] = width - 0.5 - points[:, 0]  # OpenCV puts each a quarter of a pixel too far right
    points[:, 3] = np.pi - points[:, 3]
    cells = found.descriptors.reshape(-1, 4, 4, 8)[:, ::-1]
    return Features("sift", points, cells[..., -np.arange(8) % 8].reshape(-1, 128))


def matched(first: Features, second: Features) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The points of both that are the same by the ratio test, one to one: two arrays [M, 4]."""
    if len(first.points) < 2 or len(second.points) < 2:
        return first.points[:0], second.points[:0]
    distance, nearest = _nearest(first, second)
    rows = np.flatnonzero(distance[:, 0] < _RATIO * distance[:, 1])
    rows = rows[np.argsort(distance[rows, 0], kind="stable")]
    columns, at = np.unique(nearest[rows, 0], return_index=True)  # of several, the nearest
    return first.points[rows[at]], second.points[columns]


def _nearest(first: Features, second: Features) -> tuple[NDArray[Any], NDArray[Any]]:
    """For each feature of the first the distances to the two nearest of the second, [N, 2], and where
    the nearest is, [N, 1] or more."""
    if first.kind == "orb":
        return cv2.batchDistance(
            first.descriptors, second.descriptors, cv2.CV_32S, normType=cv2.NORM_HAMMING, K=2
        )
    # of unit length, so cosines order as distances do, in a quarter of the time; numpy would use all cores
    cosines = cv2.gemm(first.descriptors, second.descriptors, 1, _NONE, 0, flags=cv2.GEMM_2_T)
    rows = np.arange(len(cosines))
    best = cosines.argmax(axis=1)
    nearest = cosines[rows, best]
    cosines[rows, best] = -1
    both = np.stack([nearest, cosines.max(axis=1)], axis=1)
    return np.sqrt(np.maximum(2 - 2 * both, 0)), best[:, None]
