"""Whether the pixels of two pictures agree where a transformation lays one on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging import phash
from facsimile.imaging.decode import LUMA_SIDE
from facsimile.imaging.distance import hamming
from facsimile.imaging.geometry.cells import CELL, Cells
from facsimile.imaging.geometry.homography import Matrix

Luma = NDArray[np.uint8]

#: longest side, in pixels, of the raster on which a transformation is judged and refined
SIDE = 128

#: the same of the raster on which contents are compared
FINE_SIDE = 256

#: how long the refinement goes on: so many steps, or until one gains as little
_STEPS = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 15, 1e-4)


@dataclass(frozen=True, slots=True, eq=False)
class Common:
    """Both pictures on the raster of their common area: luma, float32 [H, W]; `inside` is 1 where both are.

    `matrix` is the map from the first to the second that laid them there. `corners` are those of the area in
    pixels of the first picture, float64 [N, 2]; `placed` maps the second onto the raster.
    """

    matrix: Matrix
    corners: Matrix
    placed: Matrix
    first: Any
    second: Any
    inside: Any


@dataclass(frozen=True, slots=True, eq=False)
class Overlap:
    """The common area of two pictures under a map.

    `cells` is how many of its cells have texture in either picture, `agreement` the median of their
    correlations, -1..1, and `agreeing` the share of them that agree; 0 where there are none. `hamming` is by
    how many of 256 bits the hashes of the area differ.
    """

    common: Common
    cells: int
    agreement: float
    agreeing: float
    hamming: int


def overlap(first: Luma, second: Luma, matrix: Matrix) -> Overlap | None:
    """How well two luma rasters [H, W] agree where the map lays the first on the second.

    Normalised correlation in small cells, after a low-pass: neither noise nor a change of brightness,
    contrast or colours hurts it, and words or a logo only hurt the cells that they cover, so the median
    passes over them. Another photograph of the same scene, whose features match as well, disagrees nearly
    everywhere. Pictures made from one template agree in most cells; the hashes of the area, which weigh its
    large shapes, then tell them apart.
    None where the pictures do not meet.
    """
    common = lay(first, second, matrix)
    if common is None:
        return None
    cells = Cells.of(common.first, common.second, common.inside)
    counted = cells.correlation[cells.textured]
    agreement = float(np.median(counted)) if len(counted) else 0.0
    return Overlap(common, len(counted), agreement, cells.agreeing, _hamming(common))


def refine(common: Common, *, slanted: bool = False, smooth: int = 1) -> Matrix | None:
    """The map near that of the common area under which the pixels agree best; None where there is none.

    Features miss their places by a pixel or more in small or blurred copies, which the cells of `overlap` do
    not forgive. The enhanced correlation coefficient (Evangelidis and Psarakis 2008) is climbed from there.
    An affine map stays one, unless it is to become `slanted`: a perspective would follow the noise. The
    rasters are blurred over `smooth` pixels.
    """
    slanted = slanted or bool(common.matrix[2, :2].any())
    kind, rows = (cv2.MOTION_HOMOGRAPHY, 3) if slanted else (cv2.MOTION_AFFINE, 2)
    start = np.eye(rows, 3, dtype=np.float32)
    try:
        _, moved = cv2.findTransformECC(
            common.second, common.first, start, kind, _STEPS, common.inside, smooth
        )
        back = np.linalg.inv(np.vstack([moved, np.eye(3)[rows:]]).astype(np.float64))
    except (cv2.error, np.linalg.LinAlgError):  # it does not converge where nothing fits
        return None
    found = np.linalg.inv(common.placed) @ back @ common.placed @ common.matrix
    return np.asarray(found / found[2, 2], np.float64)


def lay(first: Luma, second: Luma, matrix: Matrix, side: int = SIDE) -> Common | None:
    """Both luma rasters [H, W] on the raster of their common area under the map, its longer side at most
    `side` pixels; None where they hardly meet."""
    (height, width), (second_height, second_width) = first.shape, second.shape
    placed = cv2.perspectiveTransform(_frame(width, height)[None], matrix)[0].astype(np.float32)
    area, shared = cv2.intersectConvexConvex(placed, _frame(second_width, second_height).astype(np.float32))
    if area < CELL**2:
        return None
    shared = cv2.approxPolyDP(shared, 1, True).reshape(-1, 2).astype(np.float64)  # no splinters at corners
    own = cv2.perspectiveTransform(shared[None], np.linalg.inv(matrix))[0]
    enlarged = float(np.sqrt(cv2.contourArea(placed) / (width * height)))
    low, size = shared.min(axis=0), np.ptp(shared, axis=0)
    zoom = min(1.0, 1 / enlarged, side / size.max())  # compare at the resolution that both have
    raster = (max(1, round(size[0] * zoom)), max(1, round(size[1] * zoom)))
    to_raster = np.array([(zoom, 0, -low[0] * zoom), (0, zoom, -low[1] * zoom), (0, 0, 1)])
    return Common(
        matrix,
        own,
        to_raster,
        cv2.warpPerspective(_soft(first, zoom * enlarged), to_raster @ matrix, raster),
        cv2.warpPerspective(_soft(second, zoom), to_raster, raster),
        cv2.warpPerspective(np.ones_like(first), to_raster @ matrix, raster, flags=cv2.INTER_NEAREST),
    )


def _frame(width: int, height: int) -> Matrix:
    return np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)


def _hamming(common: Common) -> int:
    """What lies outside of the area is the mean of what lies within, in both."""
    squares = []
    for luma in (common.first, common.second):
        mean = cv2.mean(luma, common.inside)[0]
        squares.append(
            cv2.resize(
                np.where(common.inside, luma, mean), (LUMA_SIDE, LUMA_SIDE), interpolation=cv2.INTER_AREA
            )
        )
    one, other = phash.bits_of(phash.spectrum(np.asarray(squares, np.float32)))
    return int(hamming(one, other))


def _soft(luma: Luma, zoom: float) -> Any:
    """Blurred so that it can be shrunk by that much."""
    return cv2.GaussianBlur(luma.astype(np.float32), (0, 0), 0.8 / min(1.0, zoom))
