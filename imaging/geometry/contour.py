"""Which of two pictures has an edge along the contour of the part in which they differ.

What was laid over a picture ends in an edge at the contour of that part, and the picture under it has edges
there only by chance. Two contents of one template both end there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

#: bands along the contour and away from it, as distances in pixels, outward positive, that are searched for
#: an edge; each is so wide
_ALONG, _AWAY, _WIDTH = (-3.5, -1.0, 1.5), (5.5, 8.0, 10.5), 2.5

#: pixels that count as the contour, and as away from it, by their distance
_CONTOUR, _FAR = 1.2, (7.0, 10.0)

#: side, in pixels, of the square over which an edge must go on, and of that in which it is looked for
_LONG, _NEAR = 17, 7

#: gradient, in levels a pixel, from which an edge is seen at all, what is added to compare two, and how many
#: times the other is far stronger
_LEAST, _FLOOR, _FAR_STRONGER = 4.0, 2.0, 2.5


@dataclass(frozen=True, slots=True)
class Contour:
    """The edges of two pictures along a contour.

    `edged`: the share of the contour along which only the second picture has an edge that is stronger than
    most of its edges beside the contour. `stronger`: the share along which its edge is far stronger than that
    of the first, `weaker` the share along which it is far weaker. `edges`: by how much it is stronger, as the
    logarithm of the ratio of their medians.
    """

    edged: float
    stronger: float
    weaker: float
    edges: float


def contour_of(plain: Any, covered: Any, differing: NDArray[np.bool_], inside: NDArray[np.bool_]) -> Contour:
    """The edges of two rasters, float32 [H, W], along the contour of the part that differs."""
    part = differing.astype(np.uint8)
    distance = np.asarray(
        cv2.distanceTransform(1 - part, cv2.DIST_L2, 3) - cv2.distanceTransform(part, cv2.DIST_L2, 3),
        np.float32,
    )
    right, down = _gradient(cv2.GaussianBlur(distance, (0, 0), 1.0))
    length = np.maximum(np.hypot(right, down), 1e-3)
    outward = right / length, down / length
    contour = inside & (np.abs(distance) <= _CONTOUR)
    far = inside & (distance > _FAR[0]) & (distance <= _FAR[1])
    bands = [[_band(distance, low, inside) for low in lows] for lows in (_ALONG, _AWAY)]
    found, strong = [], []
    for raster in (plain, covered):
        across = sum(slope * way for slope, way in zip(_gradient(raster), outward, strict=True))
        along, away = (_edges(across, each) for each in bands)
        usual = float(np.median(away[far])) if far.any() else 0.0
        found.append(along[contour])
        strong.append(along[contour] > max(_LEAST, usual))
    ratio = (np.median(found[1]) + _FLOOR) / (np.median(found[0]) + _FLOOR)
    return Contour(
        edged=float((strong[1] & ~strong[0]).mean()),
        stronger=float((found[1] > _FAR_STRONGER * found[0] + _FLOOR).mean()),
        weaker=float((found[0] > _FAR_STRONGER * found[1] + _FLOOR).mean()),
        edges=float(np.log(ratio)),
    )


def _gradient(raster: Any) -> tuple[Any, Any]:
    return (
        cv2.Sobel(raster, cv2.CV_32F, 1, 0, scale=0.25),
        cv2.Sobel(raster, cv2.CV_32F, 0, 1, scale=0.25),
    )


def _band(distance: Any, low: float, inside: NDArray[np.bool_]) -> tuple[Any, Any]:
    """A band beside the contour, and how much of it is near each pixel."""
    band = ((distance > low) & (distance <= low + _WIDTH) & inside).astype(np.float32)
    return band, _sum(band) + 1e-3


def _edges(across: Any, bands: list[tuple[Any, Any]]) -> Any:
    """The strongest edge near each pixel that goes on along a band: what changes its sign cancels out."""
    strengths = [np.abs(_sum(across * band) / share) * band for band, share in bands]
    return cv2.dilate(np.maximum.reduce(strengths), np.ones((_NEAR, _NEAR), np.uint8))


def _sum(values: Any) -> Any:
    return cv2.boxFilter(values, -1, (_LONG, _LONG))
