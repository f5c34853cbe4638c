"""From two pictures and a map between them to a finding: a copy, or what else they have in common."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.colours import recoloured
from facsimile.imaging.geometry.covering import Covering, covering
from facsimile.imaging.geometry.cutout import compare_cut_out
from facsimile.imaging.geometry.difference import Difference, difference
from facsimile.imaging.geometry.homography import Matrix, plausible
from facsimile.imaging.geometry.overlap import FINE_SIDE, Common, Overlap, lay, overlap
from facsimile.imaging.geometry.parallax import parallax
from facsimile.imaging.geometry.seam import find_tile
from facsimile.search.proof import Policy, ProofVerdict

#: share of agreeing cells below which a map does not fit
_FITS = 0.12

#: A part of the picture is compared with a part of the other, each cut from more: chance and pattern agree in
#: small parts, so that so many cells with texture are asked for, of so large a share.
_WHOLE = 0.9
_PARTIAL_CELLS = 400
_PARTIAL_TEXTURE = 0.5

#: a negative that shows less than this share of textured cells is no copy: black on white, and white on black
_NEGATIVE_TEXTURE = 0.4

#: share of a picture that lies in the other, from which it lies there as a whole
_CONTAINED = 0.97

#: what covers a picture confuses the flow, so that so many times as much movement is allowed
_COVERED_MOVES = 2.0

#: fewest textured cells of a tile
_TILE_CELLS = 80

#: what is cut out has so many textured cells, of so large a share of all that it shows: a blank form has not
_CUT_OUT_CELLS, _CUT_OUT_TEXTURE = 200, 0.6

#: What is left beside an overlay must be so much of a picture: entropy in bits, textured cells, their share,
#: how well they agree (median, and all but a tenth of them); the overlay hides at most so much.
_REST_ENTROPY, _REST_CELLS, _REST_TEXTURE = 2.2, 200, 0.2
_REST_AGREEMENT, _REST_WEAKEST = 0.9, 0.5
_MOST_COVERED = 0.45

#: The logistic models of overlays against templates (see `facsimile.imaging.geometry.covering`): for one
#: piece that differs, which is `_ONE_PIECE` or more of all, and for several. `docs/accuracy.md` says on what
#: they were fitted.
_ONE_PIECE = 0.8
_PATCH = {
    "lines": 1.51,
    "own_lines": -3.64,
    "outline": 1.57,
    "correlation": 3.97,
    "edged": 2.54,
    "stronger": 4.49,
    "contrast": -0.95,
    "edges": -1.51,
}
_PIECES = {
    "lines": 7.37,
    "own_lines": -3.21,
    "outline": 1.71,
    "correlation": 6.64,
    "edged": 4.02,
    "contrast": -1.3,
    "edges": -1.31,
}
_PATCH_BASE, _PIECES_BASE = -1.02, -4.72

#: An overlay has more lines than what it covers, by this difference of logarithms at least; of its contour,
#: at most so large a share has far stronger edges in the one picture while as much has them in the other.
_OVERLAY_LINES, _OPPOSED = 0.06, 0.14

#: entropy, in bits, of what is left beside several pieces: what is written on a blank form is its contents
_PIECES_ENTROPY = 3.0

#: each value is kept within these bounds
_LEAST_VALUE, _MOST_VALUE = -2.0, 3.0


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """One picture as evidence needs it: luma [H, W] and colours [H, W, 3] of its thumbnail."""

    luma: NDArray[np.uint8]
    rgb: NDArray[np.uint8]

    @property
    def readable(self) -> bool:
        return bool(min(self.luma.shape) > 1)

    def mirrored(self) -> View:
        """The same, mirrored left to right."""
        return View(np.ascontiguousarray(self.luma[:, ::-1]), self.rgb[:, ::-1])

    def seen(self, negative: bool) -> NDArray[np.uint8]:
        """The luma, or that of the negative."""
        return 255 - self.luma if negative else self.luma


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What the pixels say under one map. `shared` is the common area on a coarse raster, `common` the part of
    it that agrees; `covered` the share of it that something was laid over."""

    finding: ProofVerdict
    shared: Overlap
    common: Common
    difference: Difference
    moved: float | None
    negative: bool = False
    covered: float = 0.0


class Examiner:
    """Weighs the pixels of a stored picture and a query under maps from the first to the second."""

    def __init__(self, stored: View, query: View, policy: Policy) -> None:
        self._stored, self._query, self._policy = stored, query, policy

    def look(self, matrix: Matrix, *, negative: bool = False) -> Evidence | None:
        """The first look, at the whole common area; None where the map is not plausible or too little is
        there to compare."""
        height, width = self._stored.luma.shape
        if not plausible(matrix, width, height):
            return None
        second = self._query.seen(negative)
        shared = overlap(self._stored.luma, second, matrix)
        if shared is None or shared.agreeing < _FITS:
            return None
        fine = lay(self._stored.luma, second, matrix, FINE_SIDE)
        found = None if fine is None else difference(fine)
        if fine is None or found is None:
            return None
        if not self._same(found):
            return Evidence("same scene", shared, fine, found, None, negative)
        # no second shot lies straight on the first, and smooth pictures seem to move there at random
        moved = None if _is_straight(matrix) else parallax(shared.common)
        finding = "same scene" if self._is_moved(fine, moved) else self._finding(fine, found, negative)
        return Evidence(finding, shared, fine, found, moved, negative)

    def look_closer(self, evidence: Evidence) -> Evidence:
        """The second look, where the wholes differ: for a tile of a collage, an overlay, a part on a plain
        ground, and the
        frame that pictures made from one template share."""
        moved = evidence.moved if evidence.moved is not None else parallax(evidence.shared.common)
        evidence = dataclasses.replace(evidence, moved=moved)
        far = moved is not None and moved > _COVERED_MOVES * self._policy.parallax
        if far or self._is_free(evidence.common):
            return evidence
        closer = self._tile(evidence) or self._covered(evidence) or self._cut_out(evidence)
        if closer is None and evidence.difference.agreeing >= self._policy.template:
            closer = dataclasses.replace(evidence, finding="same template")
        return closer or evidence

    def _same(self, found: Difference, cells: int = 0) -> bool:
        policy = self._policy
        shade = found.shade_flat if found.texture >= policy.lit else max(found.shade, found.shade_flat)
        return (
            found.cells >= (cells or policy.cells)
            and found.residual <= policy.residual
            and found.worst <= policy.worst
            and shade <= policy.shade
        )

    def _finding(self, common: Common, found: Difference, negative: bool) -> ProofVerdict:
        """What two pictures are whose luma is the same."""
        if recoloured(
            self._stored.rgb,
            self._query.rgb,
            common.matrix,
            found.texture,
            found.residual,
            negative=negative,
        ):
            return "recoloured"
        if min(self._outside(common)) > 1 - _WHOLE and (
            found.cells < _PARTIAL_CELLS or found.texture < _PARTIAL_TEXTURE
        ):
            return "same template"
        if negative and found.texture < _NEGATIVE_TEXTURE:
            return "negative"
        return "copy"

    def _outside(self, common: Common) -> tuple[float, float]:
        """The share of either picture that lies outside of the common area."""
        return (
            1 - _area(common.corners) / self._stored.luma.size,
            1 - _area(_moved(common.corners, common.matrix)) / self._query.luma.size,
        )

    def _covered(self, evidence: Evidence) -> Evidence | None:
        """The same picture with an overlay, or None."""
        found = covering(evidence.common)
        if found is None or not (_is_picture(found) and _is_one_sided(found)):
            return None
        if _cover_evidence(found) < self._policy.covered:
            return None
        return dataclasses.replace(evidence, finding="copy", covered=found.part)

    def _cut_out(self, evidence: Evidence) -> Evidence | None:
        """What was cut out of the same picture and put on a plain ground, or None."""
        found = compare_cut_out(evidence.common)
        if found is None or found.texture < _CUT_OUT_TEXTURE or not self._same(found, _CUT_OUT_CELLS):
            return None
        return dataclasses.replace(evidence, finding="copy", difference=found)

    def _tile(self, evidence: Evidence) -> Evidence | None:
        """The same picture in one tile of a collage, or None."""
        second = self._query.seen(evidence.negative)
        tile = find_tile(self._stored.luma, second, evidence.common.matrix)
        if tile is None or tile.outside < self._policy.apart or not self._same(tile.difference, _TILE_CELLS):
            return None
        shared = overlap(self._stored.luma, second, tile.common.matrix)
        if shared is None or self._turn_and_slant(tile.common.matrix) != (False, False):
            return None
        return dataclasses.replace(
            evidence, finding="copy", shared=shared, common=tile.common, difference=tile.difference
        )

    def _is_moved(self, common: Common, moved: float | None) -> bool:
        """Whether parts moved against each other by more than an edited copy explains."""
        policy = self._policy
        _, slanted = self._turn_and_slant(common.matrix)
        if self._is_free(common):
            limit = policy.parallax_free
        else:
            limit = policy.parallax_slanted if slanted else policy.parallax
        return moved is not None and moved > limit

    def _is_free(self, common: Common) -> bool:
        """Whether the map is none that editing makes by itself: it turns a little, or slants, and neither
        picture lies in the other as a whole, as it does on a page, on a screen or within a border."""
        return any(self._turn_and_slant(common.matrix)) and min(self._outside(common)) > 1 - _CONTAINED

    def _turn_and_slant(self, matrix: Matrix) -> tuple[bool, bool]:
        angle = math.degrees(math.atan2(matrix[1, 0], matrix[0, 0]))
        off = abs((angle + 45) % 90 - 45)
        slant = math.hypot(matrix[2, 0], matrix[2, 1]) / abs(matrix[2, 2]) * max(self._stored.luma.shape)
        return off > self._policy.free_turn, slant > self._policy.free_slant


def _is_straight(matrix: Matrix) -> bool:
    """Whether the map only scales and moves, by quarter turns and flips: that of margins, no refined one."""
    diagonal, other = np.abs(np.diag(matrix[:2, :2])).max(), np.abs((matrix[0, 1], matrix[1, 0])).max()
    return bool(min(diagonal, other) < 1e-9 and np.abs(matrix[2, :2]).max() < 1e-12)


def _is_picture(rest: Covering) -> bool:
    return (
        rest.entropy >= _REST_ENTROPY
        and rest.cells >= _REST_CELLS
        and rest.texture >= _REST_TEXTURE
        and rest.agreement >= _REST_AGREEMENT
        and rest.weakest >= _REST_WEAKEST
        and rest.part <= _MOST_COVERED
        and (_is_one_piece(rest) or rest.entropy >= _PIECES_ENTROPY)
    )


def _is_one_sided(found: Covering) -> bool:
    """Whether only one of the pictures has contents of its own in the part that differs: not the one here and
    the other there."""
    return found.lines >= _OVERLAY_LINES and min(found.stronger, found.weaker) <= _OPPOSED


def _is_one_piece(found: Covering) -> bool:
    return found.largest >= _ONE_PIECE


def _cover_evidence(found: Covering) -> float:
    """How much speaks for an overlay and against a template, as logarithm of the odds."""
    base, weights = (_PATCH_BASE, _PATCH) if _is_one_piece(found) else (_PIECES_BASE, _PIECES)
    values = ((weight, float(getattr(found, name))) for name, weight in weights.items())
    return base + sum(weight * min(max(value, _LEAST_VALUE), _MOST_VALUE) for weight, value in values)


def _moved(corners: Matrix, matrix: Matrix) -> Matrix:
    placed = np.column_stack([corners, np.ones(len(corners))]) @ matrix.T
    return np.asarray(placed[:, :2] / placed[:, 2:], np.float64)


def _area(corners: Matrix) -> float:
    x, y = corners.T
    return float(abs(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2)
