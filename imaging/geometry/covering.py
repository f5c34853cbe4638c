"""Whether one picture is the other with something laid over it: a caption, a sticker, a watermark.

An overlay hides a part of a picture and leaves the rest equal. Two pictures made from one template agree as
well but for a part. What tells them apart is the part that differs: under an overlay one of the two pictures
goes on as it does around it, and the other has lines and an outline that its surroundings lack; in a template
both have contents of their own there, or the one has them in one place and the other in another.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.cells import Cells, at_cells, shrink
from facsimile.imaging.geometry.contour import contour_of
from facsimile.imaging.geometry.overlap import Common
from facsimile.imaging.geometry.sharpness import equalise_sharpness

#: pixels that are left out along the border of the common area
_BORDER = 3

#: a pixel differs by more than this share of the standard deviation of luma, this many times the median
#: difference, and so many levels
_DEVIATIONS, _MEDIANS, _LEVELS = 0.25, 4.0, 8.0

#: fewest pixels of what differs, of what is equal, and of the surroundings
_LEAST, _LEAST_EQUAL, _LEAST_AROUND = 24, 200, 50

#: pixels by which the part that differs is widened: to its edge, past it, to where it is surely over, and to
#: where its surroundings end
_EDGE, _PAST, _OVER, _SURROUNDINGS = 5, 7, 9, 31

#: levels of luma whose entropy is taken
_LEVEL_BINS = 32


@dataclass(frozen=True, slots=True, eq=False)
class Covering:
    """The part in which two pictures differ, and the rest.

    The covered picture is the one with more lines in the part, relative to its surroundings: by `lines`, as a
    difference of logarithms; `own_lines` says by how much the other, the plain one, has more of them in the
    part than around it. `outline` is by how much the gradient along the border of a piece of the part is
    stronger in the covered picture, as a logarithm, in the piece where that is least; `contrast` compares the
    standard deviations within the part. `edged`, `stronger`, `weaker` and `edges` are those of its contour
    (see `facsimile.imaging.geometry.contour`). `correlation` is the median of the correlations within it.
    `part` is the share of the common area that differs, `largest` the share of its largest connected piece.
    Of the rest: `cells` with texture, their share `texture`, the median of their correlations `agreement` and
    its 10 % quantile `weakest`, and the `entropy` of its luma in bits (at most 5).
    """

    lines: float
    own_lines: float
    outline: float
    contrast: float
    edged: float
    stronger: float
    weaker: float
    edges: float
    correlation: float
    part: float
    largest: float
    cells: int
    texture: float
    agreement: float
    weakest: float
    entropy: float


def covering(common: Common) -> Covering | None:
    """What differs in the common area of two pictures; None where nothing does, or too little is equal."""
    inside = shrink(common.inside, _BORDER)
    first, second = equalise_sharpness(common.first, common.second, inside)
    cells = Cells.of(first, second, inside)
    if not cells.whole.any():
        return None
    second = _as_bright(cells, second)
    differing = _differing(first, second, inside)
    equal = (inside > 0) & ~_wider(differing, _OVER)
    around = (inside > 0) & _wider(differing, _SURROUNDINGS) & ~_wider(differing, _PAST)
    if differing.sum() < _LEAST or equal.sum() < _LEAST_EQUAL or around.sum() < _LEAST_AROUND:
        return None
    sides = [_Marks.of(each, differing, around) for each in (first, second)]
    plain, covered = sorted(sides, key=lambda marks: marks.lines)
    contour = contour_of(plain.luma, covered.luma, differing, inside > 0)
    at_equal = at_cells(equal.astype(np.uint8)) > 0
    counted = cells.textured & at_equal
    agreement = cells.correlation[counted] if counted.any() else np.zeros(1)
    within = cells.correlation[cells.whole & (at_cells(differing.astype(np.uint8)) > 0)]
    sizes = _piece_sizes(differing)
    return Covering(
        lines=covered.lines - plain.lines,
        own_lines=plain.lines,
        outline=_weakest_outline(plain.luma, covered.luma, differing, inside > 0),
        contrast=covered.contrast - plain.contrast,
        edged=contour.edged,
        stronger=contour.stronger,
        weaker=contour.weaker,
        edges=contour.edges,
        correlation=float(np.median(within)) if len(within) else 0.0,
        part=float(differing.sum() / (inside > 0).sum()),
        largest=float(sizes.max() / differing.sum()),
        cells=int(counted.sum()),
        texture=float(counted.sum() / max(int((cells.whole & at_equal).sum()), 1)),
        agreement=float(np.median(agreement)),
        weakest=float(np.quantile(agreement, 0.1)),
        entropy=min(_entropy(each[equal]) for each in (common.first, common.second)),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Marks:
    """What one picture has in the part that differs, as logarithms: lines relative to the surroundings, and
    contrast."""

    luma: Any
    lines: float
    contrast: float

    @classmethod
    def of(cls, luma: Any, differing: NDArray[np.bool_], around: NDArray[np.bool_]) -> _Marks:
        lines = np.abs(cv2.Laplacian(luma, cv2.CV_32F))
        more = _ratio(lines[_wider(differing, _EDGE)], lines[around])
        return cls(luma, more, float(np.log(luma[differing].std() + 6)))


def _piece_sizes(differing: NDArray[np.bool_]) -> NDArray[np.intp]:
    """The pixels of each connected piece."""
    _, labels = cv2.connectedComponents(differing.astype(np.uint8))
    return np.bincount(labels[differing])[1:]


def _weakest_outline(
    plain: Any, covered: Any, differing: NDArray[np.bool_], inside: NDArray[np.bool_]
) -> float:
    """By how much the gradient along the border of a piece is stronger in the covered picture, where it is
    least so; as a logarithm."""
    wide = _wider(differing, _EDGE)
    kept = cv2.erode(differing.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    border = inside & wide & ~kept
    count, labels = cv2.connectedComponents(wide.astype(np.uint8))
    on_border, sizes = labels[border], np.bincount(labels[differing], minlength=count)[1:]
    lengths = np.maximum(np.bincount(on_border, minlength=count)[1:], 1)
    means = []
    for luma in (plain, covered):
        right, down = (cv2.Sobel(luma, cv2.CV_32F, *order, scale=0.25) for order in ((1, 0), (0, 1)))
        gradient = np.hypot(right, down)[border]
        means.append(np.bincount(on_border, gradient, count)[1:] / lengths)
    stronger = np.log((means[1] + 2) / (means[0] + 2))
    counted = sizes >= min(_LEAST, sizes.max())
    return float(stronger[counted].min())


def _ratio(values: Any, others: Any) -> float:
    return float(np.log((values.mean() + 1) / (others.mean() + 1)))


def _as_bright(cells: Cells, second: Any) -> Any:
    """The second with the brightness and contrast of the first, as most of their cells have it."""
    ours, theirs = (each[cells.whole] for each in cells.means)
    table = np.stack([theirs, np.ones_like(theirs)], axis=1).astype(np.float64)
    weight = np.ones(len(ours))
    for _ in range(8):
        weighted = table * weight[:, None]
        slope, level = np.linalg.solve(weighted.T @ table + 1e-3 * np.eye(2), weighted.T @ ours)
        missed = ours - table @ (slope, level)
        weight = 1 / (1 + (missed / (1.5 * np.median(np.abs(missed)) + 1)) ** 2)
    return np.asarray(slope * second + level, np.float32)


def _differing(first: Any, second: Any, inside: Any) -> NDArray[np.bool_]:
    difference = np.abs(cv2.GaussianBlur(first - second, (0, 0), 1.0))
    values, spread = difference[inside > 0], max(float(first[inside > 0].std()), 8.0)
    least = max(_MEDIANS * float(np.median(values)), _DEVIATIONS * spread, _LEVELS)
    differing = ((difference > least) & (inside > 0)).astype(np.uint8)
    differing = cv2.morphologyEx(differing, cv2.MORPH_OPEN, np.ones((2, 2), np.uint8))
    differing = cv2.morphologyEx(differing, cv2.MORPH_CLOSE, np.ones((5, 5), np.uint8))
    return np.asarray((differing & inside) > 0)


def _wider(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    return np.asarray(cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0)


def _entropy(luma: Any) -> float:
    levels = np.clip(luma * (_LEVEL_BINS / 256), 0, _LEVEL_BINS - 1).astype(np.intp)
    share = np.bincount(levels, minlength=_LEVEL_BINS) / max(len(luma), 1)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())
