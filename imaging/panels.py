"""Pictures in a page: the rectangles that flat gutters part, as in screenshots, articles and collages.

The recursive X-Y cut (Nagy, Seth 1984). A picture that takes a sixth of a page has neither its hash nor its
vector, but once cut out it has the hash of the original. Photographs have no gutters, and cost nothing more.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from imaging import phash
from imaging.decode import decode
from imaging.describe import Look, Probes, looks_of_spectrum
from imaging.margins import Box
from imaging.record import Description

#: standard deviation of luma up to which a line is part of a gutter
_FLAT = 6.0

#: pixels of a gutter at least, and of a panel's shorter side
_GUTTER = 2
_LEAST_SIDE = 24

#: panels of one picture at most, the largest, and the depth of cuts within cuts
_MOST = 12
_DEPTH = 6

#: share of the picture from which a panel is the picture itself, whose margins are known already
_WHOLE = 0.8

#: pictures in pages stand upright, or are mirrored
_ORIENTATIONS = ("upright", "flip-horizontal")


def panels(luma: NDArray[np.uint8]) -> list[Box]:
    """The boxes of a luma raster [H, W] that may be pictures in a page, largest first: cells, and what
    they are gathered in."""
    height, width = luma.shape
    found = dict.fromkeys(_cut(luma, (0, 0, width, height), _DEPTH))
    large = sorted(found, key=_area, reverse=True)
    return [box for box in large if _area(box) < _WHOLE * width * height][:_MOST]


def looks_of_panels(description: Description, probes: Probes = 2) -> list[Look]:
    """The ways to ask for the pictures in a described page, as they are on its thumbnail; mostly none."""
    if description.quality == 0:
        return []
    picture = decode(description.thumbnail)
    boxes = panels(picture.luma)
    if not boxes:
        return []
    spectra = phash.spectrum(np.stack([picture.luma_square(box) for box in boxes]))
    return [
        look
        for spectrum, quality in zip(spectra, phash.quality(spectra).tolist(), strict=True)
        if quality
        for look in looks_of_spectrum(spectrum, _ORIENTATIONS, probes, trimmed=True)
    ]


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
    busy = np.flatnonzero(lines.std(axis=1, dtype=np.float32) > _FLAT)
    if not len(busy):
        return []
    breaks = np.flatnonzero(np.diff(busy) > _GUTTER)
    firsts, lasts = np.r_[busy[0], busy[breaks + 1]], np.r_[busy[breaks], busy[-1]]
    return [(int(first), int(last) + 1) for first, last in zip(firsts, lasts, strict=True)]


def _area(box: Box) -> int:
    left, top, right, bottom = box
    return (right - left) * (bottom - top)
