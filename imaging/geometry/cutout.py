"""What is left of a picture that was cut out and put on a plain ground."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.cells import Cells, shrink
from facsimile.imaging.geometry.difference import Difference, measure
from facsimile.imaging.geometry.overlap import Common
from facsimile.imaging.geometry.sharpness import equalise_sharpness

#: a cell of the ground is plain up to this variance of luma, and within so many levels of the ground's own
_PLAIN = 6.0
_LEVELS = 6.0

#: the other picture shows more where it is not plain, or differs from the ground by so many levels
_OTHER = 20.0

#: share of the cells that the ground covers at least and at most, and of the border cells that are part of it
_LEAST, _MOST = 0.1, 0.85
_BORDER = 0.6

#: pixels along the border of the common area, and cells around the ground, that are left out
_EDGE = 2
_AROUND = 3


def compare_cut_out(common: Common) -> Difference | None:
    """The difference of the two within what was cut out, where one of them lies on a plain ground and the
    other
    shows more there; None where neither does."""
    inside = shrink(common.inside, _EDGE)
    cells = Cells.of(common.first, common.second, inside)
    for each in (0, 1):
        ground = _ground(cells, each)
        if ground is None:
            continue
        wide = cv2.dilate(ground.astype(np.uint8), np.ones((2 * _AROUND + 1,) * 2, np.uint8)) > 0
        pixels = cv2.resize((~wide).astype(np.uint8), inside.shape[::-1], interpolation=cv2.INTER_NEAREST)
        first, second = equalise_sharpness(common.first, common.second, inside & pixels)
        return measure(first, second, inside, cells.whole & ~wide)
    return None


def _ground(cells: Cells, each: int) -> NDArray[np.bool_] | None:
    """The cells of the plain ground of one of the pictures, where the other one is not plain."""
    variance, other, level = cells.variances[each], cells.variances[1 - each], cells.means[each]
    plain = cells.whole & (variance <= _PLAIN)
    if not plain.any():
        return None
    tone = float(np.median(level[plain]))
    plain &= np.abs(level - tone) <= _LEVELS
    share = plain.sum() / cells.whole.sum()
    border = cells.whole & ~(shrink(cells.whole.astype(np.uint8), 1) > 0)
    around = float(plain[border].mean()) if border.any() else 0.0
    more = (other > _PLAIN) | (np.abs(cells.means[1 - each] - tone) > _OTHER)
    shown = float(more[plain].mean()) if plain.any() else 0.0
    return plain if _LEAST <= share <= _MOST and around >= _BORDER and shown >= 0.5 else None
