"""How much two pictures differ in their common area, cell by cell, whatever brightness and sharpness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.cells import AGREES, Cells, median, shrink
from facsimile.imaging.geometry.overlap import Common
from facsimile.imaging.geometry.sharpness import equalise_sharpness
from facsimile.imaging.geometry.tone import match_tone

#: pixels that are left out along the border of the common area, where one picture fades into its surroundings
_SEAM = 2

#: fewest cells that are compared
_LEAST = 20

#: a cell's contrast is a share of that of the strong cells, this quantile of all, of at least so many gray
#: levels
_STRONG = 0.9
_LEAST_INK = 4.0

#: brightness is compared over blocks of so many cells a side, in units of its standard deviation, at least so
#: many gray levels
_BLOCK = 5
_LEAST_SPREAD = 8.0

#: rounds of the robust fit of brightness
_ROUNDS = 6

#: share of cells with texture from which light may have changed across the picture as well
_LIT = 0.5

#: pictures of a contrast below so many gray levels are blurred by so many pixels where they differ: by noise
_FAINT = 20.0
_NOISE = 2.0

#: residuals between which changed tones are tried, up to which they explain it, and the agreement that it
#: takes
_UNEXPLAINED, _EXPLAINED, _HOPELESS = 0.38, 0.45, 1.5
_ALIKE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Difference:
    """What is left between two pictures after the best linear fit of each cell.

    `cells` is how many cells have texture in either picture, `texture` their share. The residual of a cell is
    what is left of its contrast, relative to the contrast of the strong cells of the picture: 0 where both
    are the same up to brightness and contrast. `residual` is its 98 % quantile over all cells, `typical` its
    median, `worst` its maximum. `agreement` is the median correlation of the cells with texture, `agreeing`
    the share of them that agree. `shade` is the largest deviation of a block's brightness from one fit for
    all, in standard deviations of brightness, and `shade_flat` the same among blocks that are mostly flat.
    `contrast` is that of the strong cells, in gray levels.
    """

    cells: int
    texture: float
    agreement: float
    agreeing: float
    residual: float
    typical: float
    worst: float
    shade: float
    shade_flat: float
    contrast: float

    @property
    def oddity(self) -> float:
        """One number for all that is left, to choose between two ways to explain it."""
        return self.residual + self.shade + self.shade_flat


def difference(common: Common) -> Difference | None:
    """How much two pictures differ in their common area; None where that is too small.

    Where they differ, the tones of one are matched to the other's, which undoes light that was clipped.
    """
    inside = shrink(common.inside, _SEAM)
    first, second = equalise_sharpness(common.first, common.second, inside)
    found = measure(first, second, inside)
    if found is None or found.agreement < _ALIKE or not _is_unexplained(found):
        return found
    if found.contrast < _FAINT:
        one, other = (cv2.GaussianBlur(each, (0, 0), _NOISE) for each in (first, second))
        found = min(found, measure(one, other, inside) or found, key=lambda each: each.oddity)
    mask = inside > 0
    for one, other in ((first, second), (second, first)):
        toned = match_tone(one, other, mask)
        again = None if toned is None else measure(toned, other, inside)
        if again and again.residual < _EXPLAINED and again.oddity < found.oddity:
            found = again
    return found


def _is_unexplained(found: Difference) -> bool:
    return _UNEXPLAINED < found.residual < _HOPELESS or max(found.shade, found.shade_flat) > _UNEXPLAINED


def measure(first: Any, second: Any, inside: Any, part: NDArray[np.bool_] | None = None) -> Difference | None:
    """The difference of rasters, float32 [H, W], of equal sharpness, where `inside` is 1, or only in the
    cells
    of `part`; None where too few cells are left."""
    cells = Cells.of(first, second, inside)
    whole = cells.whole if part is None else cells.whole & part
    if whole.sum() < _LEAST:
        return None
    textured, correlation = cells.textured & whole, cells.correlation
    contrast, other_contrast = (np.sqrt(variance) for variance in cells.variances)
    ink = float(np.quantile(contrast[whole], _STRONG))
    gain = ink / max(float(np.quantile(other_contrast[whole], _STRONG)), 1e-3)
    unexplained = np.sqrt(1 - np.clip(correlation, 0, 1) ** 2)
    residual = np.maximum(contrast, gain * other_contrast) * unexplained / max(ink, _LEAST_INK)
    deviation = _shading(*cells.means, whole, lit=textured.sum() >= _LIT * whole.sum())
    typical, high, worst = np.quantile(residual[whole], (0.5, 0.98, 1))
    return Difference(
        cells=int(textured.sum()),
        texture=float(textured.sum() / whole.sum()),
        agreement=median(correlation[textured]) if textured.any() else 0.0,
        agreeing=float((correlation[textured] >= AGREES).mean()) if textured.any() else 0.0,
        residual=float(high),
        typical=float(typical),
        worst=float(worst),
        shade=_largest(deviation, whole, whole),
        shade_flat=_largest(deviation, whole, whole & ~textured),
        contrast=ink,
    )


def _shading(first: Any, second: Any, whole: NDArray[np.bool_], *, lit: bool) -> Any:
    """By how much the brightness of each cell of the first differs from what a robust linear fit makes of the
    second, in standard deviations. Where the picture may be `lit` otherwise, the
    fit
    changes linearly across it."""
    ours, theirs = first[whole], second[whole]
    terms = [theirs, np.ones_like(theirs)]
    if lit:
        rows, columns = (at / side - 0.5 for at, side in zip(np.nonzero(whole), whole.shape, strict=True))
        terms += [128 * columns, 128 * rows, columns * theirs, rows * theirs]
    table = np.stack(terms, axis=1).astype(np.float64)
    weight = np.ones(len(ours))
    for _ in range(_ROUNDS):
        weighted = table * weight[:, None]
        answer = np.linalg.solve(
            weighted.T @ table + 1e-3 * np.eye(table.shape[1]), weighted.T @ ours.astype(np.float64)
        )
        missed = ours - table @ answer
        weight = 1 / (1 + (missed / (1.5 * median(np.abs(missed)) + 1)) ** 2)
    deviation = np.zeros(whole.shape, np.float32)
    deviation[whole] = missed / max(float(ours.std()), _LEAST_SPREAD)
    return deviation


def _largest(deviation: Any, whole: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> float:
    """The largest mean deviation of the chosen cells of a block of which they are half or more."""
    counted, total = (_in_blocks(mask.astype(np.float32)) for mask in (chosen, whole))
    mean = np.abs(_in_blocks(deviation * chosen) / np.maximum(counted, 1))
    usable = whole & (total > _BLOCK**2 / 2) & (counted >= total / 2)
    return float(mean[usable].max()) if usable.any() else 0.0


def _in_blocks(values: Any) -> Any:
    return cv2.boxFilter(values, -1, (_BLOCK, _BLOCK), normalize=False)
