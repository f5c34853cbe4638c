"""Two whole pictures laid on each other without local features: flat margins cut, turned or mirrored.

Most copies are the whole picture, re-encoded, scaled, toned or bordered. Comparing the contents of both in
the eight orientations costs a tenth of what local features do, and works where a picture has none. The
negative of a picture correlates as well, with the opposite sign.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.homography import Matrix
from facsimile.imaging.geometry.overlap import Luma
from facsimile.imaging.margins import Box, content_box
from facsimile.imaging.orientation import ORIENTATIONS, orient

#: longer side, in pixels, of the squares that are correlated
_SIDE = 48

#: least correlation of the squares at which the alignment is worth a closer comparison
_LEAST = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """A map [3, 3] from pixels of the first picture to pixels of the second, the correlation (0..1) of the
    contents that it lays on each other, and whether one is the negative of the other."""

    matrix: Matrix
    correlation: float
    negative: bool


def align(first: Luma, second: Luma) -> list[Alignment]:
    """The best alignment of two luma rasters [H, W], and the best as a negative, the better one first; none
    where nothing correlates."""
    best: dict[bool, tuple[float, Box, Box, str]] = {}
    turned = [
        (box, orientation, _standardised(orient(square, orientation)))
        for box, square in _squares(second)
        for orientation in ORIENTATIONS
    ]
    for box, square in _squares(first):
        one = _standardised(square)
        for other_box, orientation, other in turned:
            correlation = float((one * other).mean())
            negative = correlation < 0
            if abs(correlation) > best.get(negative, (_LEAST,))[0]:
                best[negative] = (abs(correlation), box, other_box, orientation)
    found = [
        Alignment(_matrix(box, other_box, orientation), correlation, negative)
        for negative, (correlation, box, other_box, orientation) in best.items()
    ]
    return sorted(found, key=lambda each: -each.correlation)


def _squares(luma: Luma) -> list[tuple[Box, NDArray[np.float32]]]:
    """The picture, and what lies within its flat margins, each with its box."""
    boxes: list[Box] = [(0, 0, luma.shape[1], luma.shape[0])]
    if inner := content_box(luma):
        boxes.append(inner)
    return [
        (
            box,
            cv2.resize(
                luma[box[1] : box[3], box[0] : box[2]], (_SIDE, _SIDE), interpolation=cv2.INTER_AREA
            ).astype(np.float32),
        )
        for box in boxes
    ]


def _standardised(square: NDArray[np.float32]) -> Any:
    """With mean 0 and standard deviation 1, so that the mean product of two is their correlation."""
    return (square - square.mean()) / max(float(square.std()), 1e-3)


def _matrix(box: Box, other: Box, orientation: str) -> Matrix:
    """From the first box to the second, whose contents are turned to look as those of the first."""
    corners = np.stack(np.meshgrid([0.0, 1.0], [0.0, 1.0]), -1)
    turned = orient(corners, orientation)  # where each corner of the turned square lies in the upright one
    start = turned[0, 0]
    turn = np.eye(3)
    turn[:2] = np.stack([turned[0, 1] - start, turned[1, 0] - start, start], axis=1)
    return _placed(other) @ turn @ np.linalg.inv(_placed(box))


def _placed(box: Box) -> Matrix:
    """From the unit square to a box."""
    left, top, right, bottom = box
    return np.array([(right - left, 0, left), (0, bottom - top, top), (0, 0, 1)], np.float64)
