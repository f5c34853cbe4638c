"""Flat margins: the bars of a screen, borders, letterboxes, the white around a product.

A picture and its bordered copy have quite different hashes; without their margins they have the same.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: left, top, right, bottom in pixels, as Pillow has it
Box = tuple[int, int, int, int]

#: gray levels by which a pixel of a flat margin may differ from the margin's own level (JPEG noise)
TOLERANCE = 16

#: share of a margin line's pixels that may differ by more: the ringing of a JPEG, a line's corners
OUTLIERS = 0.03

#: margins that are together thinner than this share of a side are not worth a second hash
LEAST_MARGIN = 0.02

#: a picture is not cut below this share of its area, nor below `LEAST_SIDE` pixels
LEAST_AREA = 0.1
LEAST_SIDE = 16

#: a border, the blurred line that a JPEG leaves beside it, the picture's own margin, a frame: each is a round
_ROUNDS = 6

#: one pixel of this many along a line is looked at, and so many lines together
_SAMPLE = 3
_STEP = 16


def content_box(luma: NDArray[np.uint8]) -> Box | None:
    """The part of a luma raster [H, W] inside its flat margins, or None where there are none worth cutting.

    Each side is judged by itself, so that their colours may differ; rounds cut frames within frames.
    """
    height, width = luma.shape
    left, top, right, bottom = 0, 0, width, height
    for _ in range(_ROUNDS):
        before = (left, top, right, bottom)
        top += _margin(luma[top:bottom, left:right:_SAMPLE])
        bottom -= _margin(luma[top:bottom, left:right:_SAMPLE][::-1])
        left += _margin(luma[top:bottom:_SAMPLE, left:right].T)
        right -= _margin(luma[top:bottom:_SAMPLE, left:right].T[::-1])
        if (left, top, right, bottom) == before:
            break
    inner_width, inner_height = right - left, bottom - top
    thin = width - inner_width < LEAST_MARGIN * width and height - inner_height < LEAST_MARGIN * height
    if thin or min(inner_width, inner_height) < LEAST_SIDE:
        return None
    if inner_width * inner_height < LEAST_AREA * width * height:
        return None
    return left, top, right, bottom


def _margin(lines: NDArray[np.uint8]) -> int:
    """How many lines, from the first on, are flat and at the level of the first."""
    if lines.size == 0:
        return 0
    first = np.sort(lines[0])
    outliers = int(OUTLIERS * len(first))
    level = int(first[len(first) // 2])
    low, high = max(level - TOLERANCE, 0), min(level + TOLERANCE, 255)
    if first[outliers] < low or first[-1 - outliers] > high:
        return 0
    for start in range(0, len(lines), _STEP):
        # below `low` the difference wraps round to a large number: one comparison serves both limits
        differing = lines[start : start + _STEP] - np.uint8(low) > np.uint8(high - low)
        busy = np.flatnonzero(np.count_nonzero(differing, axis=-1) > outliers)
        if len(busy):
            return start + int(busy[0])
    return len(lines)
