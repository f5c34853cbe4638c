"""Pictures in a page: the rectangles that flat gutters part, as in screenshots, articles and collages.

The recursive X-Y cut (Nagy, Seth 1984). A picture that takes a sixth of a page has neither its hash nor its
vector, but once cut out it has the hash of the original. Photographs have no gutters.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.margins import Box
from facsimile.imaging.record import MOST_PANELS

#: standard deviation of luma up to which a line is part of a gutter
_FLAT = 6.0

#: one pixel of this many shows of most lines in a photograph that they are not flat
_SAMPLE = 8

#: pixels of a gutter at least, and of a panel's shorter side
_GUTTER = 2
_LEAST_SIDE = 24

#: depth of cuts within cuts
_DEPTH = 6

#: share of the picture from which a panel is the picture itself, whose margins are known already
_WHOLE = 0.8


def panels(luma: NDArray[np.uint8]) -> list[Box]:
    """The boxes of a luma raster [H, W] that may be pictures in a page, largest first: cells, and what
    they are gathered in; of many the largest."""
    height, width = luma.shape
    found = dict.fromkeys(_cut(luma, (0, 0, width, height), _DEPTH))
    large = sorted(found, key=_area, reverse=True)
    return [box for box in large if _area(box) < _WHOLE * width * height][:MOST_PANELS]


def _cut(luma: NDArray[np.uint8], box: Box, depth: int) -> Iterator[Box]:
    """The box without its margins, and what lies between its gutters."""
    left, top, right, bottom = box
    rows = _between_gutters(luma[top:bottom, left:right])
    if not rows or depth == 0:
        return
    top, bottom = top + rows[0][0], top + rows[-1][1]
    columns = _between_gutters(luma[top:bottom, left:right].T)
    if not columns:
        return
    left, right = left + columns[0][0], left + columns[-1][1]
    if min(right - left, bottom - top) < _LEAST_SIDE:
        return
    yield left, top, right, bottom
    if len(rows) > 1:
        start = rows[0][0]
        for first, last in rows:
            yield from _cut(luma, (left, top + first - start, right, top + last - start), depth - 1)
    elif len(columns) > 1:
        start = columns[0][0]
        for first, last in columns:
            yield from _cut(luma, (left + first - start, top, left + last - start, bottom), depth - 1)


def _between_gutters(lines: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """The runs of lines [N, M] that are not flat; a gap thinner than a gutter parts nothing."""
    varies = _varies(lines, _SAMPLE)
    doubtful = np.flatnonzero(~varies)
    if len(doubtful):
        varies[doubtful] = _varies(lines[doubtful], 1)
    busy = np.flatnonzero(varies)
    if not len(busy):
        return []
    breaks = np.flatnonzero(busy[1:] - busy[:-1] > _GUTTER) + 1
    runs = pairwise([0, *breaks.tolist(), len(busy)])
    return [(int(busy[first]), int(busy[end - 1]) + 1) for first, end in runs]


def _varies(lines: NDArray[np.uint8], step: int) -> NDArray[np.bool_]:
    """Which lines [N, M] are not flat: all that are not where `step` is 1, else only such of which every so
    many pixels say so, since those hold no more of the sum of squared deviations than the line does."""
    values = lines[:, ::step].astype(np.float32)
    number = values.shape[1]
    sums, squares = np.einsum("ij->i", values), np.einsum("ij,ij->i", values, values)
    return number * squares - sums * sums > number * lines.shape[1] * _FLAT**2  # type: ignore[no-any-return]


def _area(box: Box) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
