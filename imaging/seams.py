"""Rectangles within a picture whose sides are straight seams: the tiles of a collage, a picture in a picture.

A seam is a step between neighbouring pixels that stands out of what lies beside it, row after row at one
place. Single steps do so anywhere; that many of them stand in one line is unlikely unless two pictures meet
there. The evidence of a line is the log-likelihood ratio of its share of steps against that of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.margins import Box

#: gray levels of a step across two pixels, at least, and how many times those beside it
_STEP = 10
_RATIO = 1.6

#: share of a side that must be steps, and of the best stretch of a line for it to be looked at
_SUPPORT = 0.35

#: lines of each direction that are looked at; two of them lie farther apart than `_APART` pixels
_LINES = 10
_APART = 3

#: gray levels between neighbours up to which a picture is flat there, and the least share where it is not
_FLAT = 2
_LEAST_BUSY = 0.1

#: share of steps that a picture is taken to have at least
_LEAST_SHARE = 0.02

#: pixels of a rectangle's shorter side, and the largest share of the picture that it fills
_LEAST_SIDE = 40
_LARGEST = 0.8

#: rectangles that overlap by more than this share of their union are one
_SAME = 0.7

#: evidence, in nats, that one rectangle at least must have: two in ten photographs have it, and all collages
#: of four and insets of a third of the width
_SURE = 200.0

#: ratios of evidence to the root of the seams' length are compared: long sides are not better by being long
_LOOKED_AT = 200


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines across one direction: `at` their places, the picture's borders first and last, `sums` [lines,
    ends] the steps on each from the start of the other direction to the ends, `share` the picture's own."""

    at: NDArray[np.int64]
    sums: NDArray[np.int64]
    share: float


def rectangles(rgb: NDArray[np.uint8], most: int) -> list[Box]:
    """The boxes within a raster [H, W, 3] that seams and the picture's borders bound, the surest first.

    None where no seam is sure.
    """
    height, width = rgb.shape[:2]
    if min(height, width) < 2 * _LEAST_SIDE:
        return []
    planes = np.ascontiguousarray(np.moveaxis(rgb, 2, 0))
    if _is_drawn(planes[1]):
        return []
    columns, rows = _steps(planes), _steps(np.ascontiguousarray(planes.swapaxes(1, 2)))
    shares = [max(float(np.count_nonzero(steps)) / steps.size, _LEAST_SHARE) for steps in (columns, rows)]
    across, down = _summed(columns), _summed(rows)
    xs, ys = _places(across, width), _places(down, height)
    return _chosen(_lines(across, xs, ys, shares[0]), _lines(down, ys, xs, shares[1]), most)


def _is_drawn(plane: NDArray[np.uint8]) -> bool:
    """Whether a plane [H, W] is flat nearly everywhere, as drawings and forms are, but no photograph."""
    left, right = plane[:, :-1], plane[:, 1:]
    changes = np.maximum(left, right) - np.minimum(left, right) > _FLAT
    return int(np.count_nonzero(changes)) < _LEAST_BUSY * changes.size


def _steps(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels [H, W] are at a step along the rows of planes [3, H, W]; none at the ends."""
    before, after = planes[:, :, :-2], planes[:, :, 2:]
    change = (np.maximum(before, after) - np.minimum(before, after)).max(axis=0)
    beside = np.maximum(change[:, :-6], change[:, 6:]).astype(np.float32)
    inner = change[:, 3:-3]
    steps = np.zeros(planes.shape[1:], np.bool_)
    steps[:, 4:-4] = (inner > _STEP) & (inner > _RATIO * beside)
    return steps


def _places(sums: NDArray[np.int16], end: int) -> NDArray[np.int64]:
    """Where the lines of most steps are, over their best stretch, between the borders 0 and `end`."""
    stretch = max(_LEAST_SIDE, len(sums) // 5)
    best = (sums[stretch:] - sums[:-stretch]).max(axis=0) / stretch
    found: list[int] = []
    for place in np.argsort(-best, kind="stable").tolist():
        if best[place] < _SUPPORT or len(found) == _LINES:
            break
        if all(abs(place - other) > _APART for other in found):
            found.append(place)
    return np.array([0, *sorted(found), end])


def _summed(steps: NDArray[np.bool_]) -> NDArray[np.int16]:
    """The sums [H + 1, W] of the rows before each."""
    sums = np.zeros((len(steps) + 1, steps.shape[1]), np.int16)
    for row, each in enumerate(steps.view(np.int8)):  # quicker than a running sum down the columns
        np.add(sums[row], each, out=sums[row + 1])
    return sums


def _lines(sums: NDArray[np.int16], at: NDArray[np.int64], ends: NDArray[np.int64], share: float) -> _Lines:
    return _Lines(at, np.vstack([ends, sums[ends][:, at[1:-1]].T, ends]), share)


def _chosen(columns: _Lines, rows: _Lines, most: int) -> list[Box]:
    left, right = (each[:, None] for each in np.triu_indices(len(columns.at), 1))
    top, bottom = (each[None] for each in np.triu_indices(len(rows.at), 1))
    width, height = columns.at[right] - columns.at[left], rows.at[bottom] - rows.at[top]
    steps = (
        columns.sums[left, bottom] - columns.sums[left, top],
        columns.sums[right, bottom] - columns.sums[right, top],
        rows.sums[top, right] - rows.sums[top, left],
        rows.sums[bottom, right] - rows.sums[bottom, left],
    )
    lengths = (height, height, width, width)
    shares = (columns.share, columns.share, rows.share, rows.share)
    last = (len(columns.at) - 1, len(rows.at) - 1)
    seams = (left > 0, right < last[0], top > 0, bottom < last[1])
    support = np.minimum.reduce([each / length for each, length in zip(steps, lengths, strict=True)])
    evidence, length = np.zeros(support.shape), np.ones(support.shape)
    for seam, each, side, share in zip(seams, steps, lengths, shares, strict=True):
        evidence += seam * side * _information(each / side, share)
        length += seam * side
    good = (support >= _SUPPORT) & (np.minimum(width, height) >= _LEAST_SIDE)
    good &= width * height < _LARGEST * columns.at[-1] * rows.at[-1]
    if not good.any() or evidence[good].max() < _SURE:
        return []
    across, down = np.nonzero(good)
    order = np.argsort(-(evidence / np.sqrt(length))[across, down], kind="stable")[:_LOOKED_AT]
    found: list[Box] = []
    for x, y in zip(across[order].tolist(), down[order].tolist(), strict=True):
        x0, y0 = int(columns.at[left[x, 0]]), int(rows.at[top[0, y]])
        box = (x0, y0, x0 + int(width[x, 0]), y0 + int(height[0, y]))
        if len(found) < most and all(_overlap(box, other) < _SAME for other in found):
            found.append(box)
    return found


def _information(share: NDArray[np.float64], usual: float) -> NDArray[np.float64]:
    """Kullback-Leibler divergence, in nats a pixel, of a share of steps from the usual one, if above."""
    share = np.clip(share, usual, 1 - 1e-6)
    steps, others = share * np.log(share / usual), (1 - share) * np.log((1 - share) / (1 - usual))
    return steps + others


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    if min(width, height) <= 0:
        return 0.0
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    return width * height / (sum(areas) - width * height)
