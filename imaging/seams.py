"""Rectangles within a picture whose sides are straight seams: the tiles of a collage, a picture in a picture.

A seam is a step between neighbouring pixels that stands out of what lies beside it, row after row at one
place. Single steps do so anywhere; that many of them stand in one line is unlikely unless two pictures meet
there. The evidence of a line is the log-likelihood ratio of its share of steps against that of the picture.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

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
    across, down = (_Steps.of(each) for each in (planes, np.ascontiguousarray(planes.swapaxes(1, 2))))
    xs, ys = across.places(), down.places()
    return _chosen(across.lines(xs, ys), down.lines(ys, xs), most)


def _is_drawn(plane: NDArray[np.uint8]) -> bool:
    """Whether a plane [H, W] is flat nearly everywhere, as drawings and forms are, but no photograph."""
    left, right = plane[:, :-1], plane[:, 1:]
    changes = np.maximum(left, right) - np.minimum(left, right) > _FLAT
    return int(np.count_nonzero(changes)) < _LEAST_BUSY * changes.size


@dataclass(frozen=True, slots=True)
class _Steps:
    """The steps across one direction. `at` are the lines that have enough of them to be looked at, `sums`
    [lines, ends] the steps on each from the start to the ends, `end` the number of all lines, `share` the
    picture's share of steps."""

    at: NDArray[np.int64]
    sums: NDArray[np.int32]
    end: int
    share: float

    @classmethod
    def of(cls, planes: NDArray[np.uint8]) -> _Steps:
        """Those between neighbours in the rows of planes [3, H, W]."""
        steps = _steps(planes)
        length, end = steps.shape
        counts = np.count_nonzero(steps, axis=0)
        # a line without as many steps as its best stretch must have is out of question
        at = np.flatnonzero(counts >= _SUPPORT * _stretch(length))
        sums = np.zeros((len(at), length + 1), np.int32)
        np.cumsum(steps.T[at], axis=1, out=sums[:, 1:])
        return cls(at, sums, end, max(float(counts.sum()) / steps.size, _LEAST_SHARE))

    def places(self) -> NDArray[np.int64]:
        """Where the lines of most steps are, over their best stretch, between the picture's borders."""
        stretch = _stretch(self.sums.shape[1] - 1)
        best = (self.sums[:, stretch:] - self.sums[:, :-stretch]).max(axis=1, initial=0) / stretch
        order = np.argsort(-best, kind="stable")
        found: list[int] = []
        beside: set[int] = set()
        for place in self.at[order[best[order] >= _SUPPORT]].tolist():
            if place not in beside:
                found.append(place)
                beside.update(range(place - _APART, place + _APART + 1))
            if len(found) == _LINES:
                break
        return np.array([0, *sorted(found), self.end])

    def lines(self, at: NDArray[np.int64], ends: NDArray[np.int64]) -> _Lines:
        """Those at some places, with the sums at the places of the other direction."""
        inner = self.sums[np.ix_(np.searchsorted(self.at, at[1:-1]), ends)]
        return _Lines(at, np.vstack([ends, inner, ends]), self.share)


def _stretch(length: int) -> int:
    """The part of a line, in pixels, that must have steps for the line to be looked at."""
    return max(_LEAST_SIDE, length // 5)


def _steps(planes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which pixels [H, W] are at a step along the rows of planes [3, H, W]; none at the ends."""
    before, after = planes[:, :, :-2], planes[:, :, 2:]
    change = (np.maximum(before, after) - np.minimum(before, after)).max(axis=0)
    beside = np.maximum(change[:, :-6], change[:, 6:]).astype(np.float32)
    inner = change[:, 3:-3]
    steps = np.zeros(planes.shape[1:], np.bool_)
    steps[:, 4:-4] = (inner > _STEP) & (inner > _RATIO * beside)
    return steps


def _chosen(columns: _Lines, rows: _Lines, most: int) -> list[Box]:
    left, right = (each[:, None] for each in np.triu_indices(len(columns.at), 1))
    top, bottom = (each[None] for each in np.triu_indices(len(rows.at), 1))
    width, height = columns.at[right] - columns.at[left], rows.at[bottom] - rows.at[top]
    sides = _sides(columns, rows, left, right, top, bottom)
    good = np.minimum.reduce([side.steps / side.length for side in sides]) >= _SUPPORT
    good &= (np.minimum(width, height) >= _LEAST_SIDE) & (
        width * height < _LARGEST * columns.at[-1] * rows.at[-1]
    )
    across, down = np.nonzero(good)
    left, right, top, bottom = left[across, 0], right[across, 0], top[0, down], bottom[0, down]
    evidence, length = np.zeros(len(across)), np.ones(len(across))
    for side in _sides(columns, rows, left, right, top, bottom):
        evidence += side.inside * side.length * _information(side.steps / side.length, side.share)
        length += side.inside * side.length
    if evidence.max(initial=0) < _SURE:
        return []
    order = np.argsort(-evidence / np.sqrt(length), kind="stable")[:_LOOKED_AT]
    boxes = np.stack([columns.at[left], rows.at[top], columns.at[right], rows.at[bottom]], axis=1)
    found: list[Box] = []
    for x0, y0, x1, y1 in boxes[order].tolist():
        box = (x0, y0, x1, y1)
        if all(_overlap(box, other) < _SAME for other in found):
            found.append(box)
        if len(found) == most:
            break
    return found


class _Side(NamedTuple):
    """One side of each of many rectangles: its steps, its length, the picture's share of steps in that
    direction, and whether it is inside the picture, not on its border."""

    steps: NDArray[np.int64]
    length: NDArray[np.int64]
    share: float
    inside: NDArray[np.bool_]


def _sides(
    columns: _Lines,
    rows: _Lines,
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    top: NDArray[np.int64],
    bottom: NDArray[np.int64],
) -> list[_Side]:
    """The four sides of the rectangles between lines, whose numbers broadcast against each other."""

    def side(lines: _Lines, line: NDArray[np.int64], start: NDArray[np.int64], end: NDArray[np.int64],
             across: _Lines) -> _Side:  # fmt: skip
        steps = lines.sums[line, end] - lines.sums[line, start]
        inside = (line > 0) & (line < len(lines.at) - 1)
        return _Side(steps, across.at[end] - across.at[start], lines.share, inside)

    return [
        side(columns, left, top, bottom, rows),
        side(columns, right, top, bottom, rows),
        side(rows, top, left, right, columns),
        side(rows, bottom, left, right, columns),
    ]


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
