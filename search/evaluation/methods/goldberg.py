"""The signature of image-match: H. C. Wong, M. Bern, D. Goldberg, "An image signature for any kind of
image", ICIP 2002, from the paper, with image-match's parameters: 9x9 points, 2 levels, tolerance 2/255.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.search.evaluation.methods.base import DescriptorMethod, Descriptors, euclidean
from facsimile.search.evaluation.picture import EvaluationPicture

_POINTS = 9
_NEIGHBOURS = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1) if row or column]
_SAME = 2.0


class Goldberg(DescriptorMethod):
    """648 values: for each of 9x9 points, whether the picture there is much darker (-2), darker, the same,
    lighter or much lighter (2) than at its eight neighbours."""

    name = "goldberg"
    paper = "H. C. Wong, M. Bern, D. Goldberg, An Image Signature for Any Kind of Image, ICIP 2002"
    unit = "normalised distance"

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        return {"signature": signature(picture.luma)}

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        """The normalised distances |a - b| / (|a| + |b|)."""
        return normalised_distances(queries["signature"], references["signature"])


def normalised_distances(first: NDArray[np.int8], second: NDArray[np.int8]) -> NDArray[np.float32]:
    """|a - b| / (|a| + |b|) of the rows of two arrays [N, 648] and [M, 648]: [N, M]."""
    a, b = first.astype(np.float32), second.astype(np.float32)
    norms = np.linalg.norm(a, axis=1)[:, None] + np.linalg.norm(b, axis=1)[None]
    return np.asarray(euclidean(a, b) / np.maximum(norms, 1e-9), np.float32)


def signature(luma: NDArray[np.uint8]) -> NDArray[np.int8]:
    """The signature, int8 [648], of a luma raster [H, W]."""
    levels = _levels(luma)
    padded = np.pad(levels, 1, constant_values=np.nan)
    inner = slice(1, -1)
    shifted = [np.roll(padded, (-row, -column), (0, 1))[inner, inner] for row, column in _NEIGHBOURS]
    difference = np.stack([levels - other for other in shifted], axis=-1)
    difference[~(np.abs(difference) >= _SAME)] = 0  # also where there is no neighbour
    lighter, darker = difference[difference > 0], difference[difference < 0]
    result = np.sign(difference)
    if lighter.size:
        result[difference > np.median(lighter)] = 2
    if darker.size:
        result[difference < np.median(darker)] = -2
    return result.astype(np.int8).ravel()


def _levels(luma: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Mean luma of small squares around the points of a grid over the part that holds the detail."""
    values = luma.astype(np.float64)
    top, bottom = _busy(np.abs(np.diff(values, axis=1)).sum(axis=1))
    left, right = _busy(np.abs(np.diff(values, axis=0)).sum(axis=0))
    rows = np.linspace(top, bottom, _POINTS + 2)[1:-1].astype(int)
    columns = np.linspace(left, right, _POINTS + 2)[1:-1].astype(int)
    side = max(2, int(0.5 + min(luma.shape) / 20))
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    first_row, first_column = (np.maximum(places - side / 2, 0).astype(int) for places in (rows, columns))
    last_row = np.minimum(first_row + side, luma.shape[0])
    last_column = np.minimum(first_column + side, luma.shape[1])
    total = (
        sums[np.ix_(last_row, last_column)]
        - sums[np.ix_(first_row, last_column)]
        - sums[np.ix_(last_row, first_column)]
        + sums[np.ix_(first_row, first_column)]
    )
    return np.asarray(total / np.outer(last_row - first_row, last_column - first_column))


def _busy(detail: NDArray[np.float64]) -> tuple[int, int]:
    """The lines between the 5th and the 95th percentile of the running sum of the detail: a twentieth of the
    lines is cut on either side, and flat margins altogether."""
    total = np.cumsum(detail)
    low, high = np.percentile(total, (5, 95))
    first, last = int(np.searchsorted(total, low, "right")), int(np.searchsorted(total, high, "left"))
    return (first, last) if first < last else (0, len(detail) - 1)
