"""Regions: parts of a picture that may be a picture of their own, without flat gutters around them.

The tiles of a collage and a picture in a picture, by the seams between them; a picture turned on a plain
ground, laid upright. Most photographs have none. Pages are taken apart by `facsimile.imaging.panels`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging import phash
from facsimile.imaging.decode import DecodedImage, decode
from facsimile.imaging.errors import ImageError
from facsimile.imaging.margins import Box
from facsimile.imaging.models.base import Model
from facsimile.imaging.seams import rectangles
from facsimile.imaging.tilt import tilt

#: rectangles between seams that are regions; where seams cross in the middle, the four quarters are regions
#: too, since the many rectangles of a collage hide the right ones
_RECTANGLES = 6

#: share of a side within which a seam is in the middle
_MIDDLE = 0.02

#: regions of a picture at most
MOST_REGIONS = _RECTANGLES + 4


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """The signatures of a part of a picture, as `facsimile.imaging.record.Description` has them of the whole;
    `turned` tells that it was laid upright by an angle of its own."""

    spectrum: NDArray[np.float32]
    quality: int
    turned: bool
    vector: NDArray[np.float32] | None = None


def regions(picture: DecodedImage) -> Iterator[tuple[DecodedImage, bool]]:
    """The regions of a picture as thumbnails show it, and whether each was turned."""
    found = tilt(picture.rgb)
    if found:
        for each in (found, found.other):
            yield picture.turned(each.affine, each.size), True
        return
    boxes = rectangles(picture.rgb, _RECTANGLES)
    if not boxes:
        return
    height, width = picture.rgb.shape[:2]
    yield from (
        (picture.part(box), False) for box in dict.fromkeys([*boxes, *_quarters(boxes, width, height)])
    )


def _quarters(boxes: Sequence[Box], width: int, height: int) -> list[Box]:
    """The four quarters of a picture of this size, if the boxes have sides in the middle both ways."""
    x, y = width // 2, height // 2
    across = any(abs(side - x) <= _MIDDLE * width for left, _, right, _ in boxes for side in (left, right))
    down = any(abs(side - y) <= _MIDDLE * height for _, top, _, bottom in boxes for side in (top, bottom))
    if not (across and down):
        return []
    return [(0, 0, x, y), (x, 0, width, y), (0, y, x, height), (x, y, width, height)]


def describe_regions(thumbnail: bytes, model: Model | None) -> list[Region]:
    """The regions of the picture that a thumbnail shows, with vectors where there is a model; mostly none.

    A thumbnail that cannot be read has none.
    """
    try:
        found = list(regions(decode(thumbnail, digest=False)))
    except ImageError:
        return []
    if not found:
        return []
    spectra = phash.spectrum(np.stack([part.luma_square() for part, _ in found]))
    vectors = model.vectors([model.prepare(part) for part, _ in found]) if model else [None] * len(found)
    return [
        Region(spectrum, quality, turned, vector)
        for spectrum, quality, (_, turned), vector in zip(
            spectra, phash.quality(spectra).tolist(), found, vectors, strict=True
        )
        if quality
    ]
