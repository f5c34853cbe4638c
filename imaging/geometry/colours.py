"""Whether a part has other colours in one of two pictures than in the other: a shirt, an icon."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.geometry.homography import Matrix
from facsimile.imaging.geometry.overlap import lay

#: longer side of the raster on which colours are compared, and of the pictures before that
_SIDE = 64
_SHRUNK = 128

#: fewest pixels that are compared
_LEAST = 50

#: A copy's colours may all be turned by so many degrees of hue, and missed by so many levels of chroma in so
#: large a share of the pixels.
_TURN = 25.0
_MISSED = 18.0
_SHARE = 0.06

#: from this share of textured cells on it is a photograph all over, whose clipped light turns colours
_RICH = 0.6
_SHARE_RICH = 0.2

#: Pictures with a smaller share of textured cells are flat colours more than anything else, and those are
#: compared strictly: so many degrees, this change of saturation, so many levels at the 95 % quantile.
_FLAT = 0.4
_SHARE_FLAT = 0.01
_STRICT_TURN = 12.0
_STRICT_GAIN = (0.5, 2.2)
_STRICT_MISSED = 12.0

#: a saturation below the former is a tint where all colours move by as many levels of chroma; below this one
#: the turn means nothing
_TINT = 8.0
_TURN_KNOWN = 0.3

#: chroma of a gray picture, and of one with colours; a gray copy keeps its luma but for so many levels
_GRAY, _COLOURED = 4.0, 8.0
_LUMA_KEPT = 18.0

#: Up to this residual of luma, and with so small a change of nine tenths of the colours, two pictures are
#: equal but for noise, so that a spot of so many levels of chroma counts; otherwise one of so many more. Both
#: are looked for on rasters of this side.
_EQUAL = 0.05
_KEPT = 6.0
_SPOT = 22.0
_STRONG_SPOT = 70.0
_SPOT_SIDE = 320

_ROUNDS = 6
_MOST_GAIN = 4.0

Rgb = NDArray[np.uint8]


def recoloured(
    first: Rgb, second: Rgb, matrix: Matrix, texture: float, residual: float, *, negative: bool
) -> bool:
    """Whether two pictures [H, W, 3] that the map lays on each other differ in the colours of a part.

    One change of all colours is an edit: gray, sepia, a cast, more or less saturation, a small turn of hue.
    Where some pixels miss it by far, a part was recoloured. `texture` is the share of textured cells,
    `residual` that of luma: where nothing differs there, even one spot of another colour tells them apart.
    """
    one, scale = _chroma(first)
    other, other_scale = _chroma(second)
    placed = _placed(one, _negated(other) if negative else other, other_scale @ matrix @ np.linalg.inv(scale))
    if placed is None:
        return False
    (luma, colour), (other_luma, other_colour) = placed
    fits = [_fitted(one, other) for one, other in ((colour, other_colour), (other_colour, colour))]
    missed, gain, shift = min(fits, key=lambda fit: float((fit[0] > _MISSED).mean()))
    if (missed > _MISSED).mean() > _share(texture):
        return True
    kept = float(np.quantile(np.abs(colour - other_colour), 0.9)) <= _KEPT
    least = _SPOT if residual <= _EQUAL else _STRONG_SPOT
    if kept and _spot(first, second, matrix, negative=negative) > least:
        return True
    if texture >= _FLAT:
        return False
    chroma = sorted(float(np.quantile(np.abs(each), 0.95)) for each in (colour, other_colour))
    if chroma[0] < _GRAY:
        faded = float(np.quantile(np.abs(luma - other_luma), 0.9))
        tinted = _is_tinted(colour, luma) or _is_tinted(other_colour, other_luma)
        return chroma[1] >= _COLOURED and faded > _LUMA_KEPT and not tinted
    turned = abs(gain) > _TURN_KNOWN and abs(np.degrees(np.angle(gain))) > _STRICT_TURN
    lighter = float(np.median((other_luma + 1) / (luma + 1)))  # all light, so all colours, scaled alike
    saturation = abs(shift) >= _TINT or any(
        low <= abs(gain) <= high
        for by in (1.0, lighter, 1 / lighter)
        for low, high in [(by * _STRICT_GAIN[0], by * _STRICT_GAIN[1])]
    )
    return turned or not saturation or float(np.quantile(missed, 0.95)) > _STRICT_MISSED


def _spot(first: Rgb, second: Rgb, matrix: Matrix, *, negative: bool) -> float:
    """By how many levels of chroma the spot of the most different colour differs more than the rest."""
    one, scale = _chroma(first, _SPOT_SIDE)
    other, other_scale = _chroma(second, _SPOT_SIDE)
    placed = _warped(
        one, _negated(other) if negative else other, other_scale @ matrix @ np.linalg.inv(scale), _SPOT_SIDE
    )
    if placed is None:
        return 0.0
    ours, theirs, inside = placed
    missed = cv2.boxFilter(np.hypot(*np.moveaxis((ours - theirs)[..., 1:], -1, 0)), -1, (2, 2))
    return float(missed[inside].max() - np.median(missed[inside]))


def _is_tinted(colour: Any, luma: Any) -> bool:
    """Whether it is a gray picture in coloured light: chroma grows with luma, from none."""
    tint = (colour * luma).sum() / max(float((luma * luma).sum()), 1.0)
    strong = float(np.quantile(np.abs(colour), 0.95)) >= _COLOURED
    return strong and float(np.quantile(np.abs(colour - tint * luma), 0.95)) <= _STRICT_MISSED


def _share(texture: float) -> float:
    """The share of the pixels whose colours may differ by far."""
    if texture < _FLAT:
        return _SHARE_FLAT
    return _SHARE if texture < _RICH else _SHARE_RICH


def _chroma(rgb: Rgb, side: int = _SHRUNK) -> tuple[Any, Matrix]:
    """Luma and the two differences of colour (ITU-R 601), float32 [H, W, 3], of the shrunk picture, and the
    map
    that shrank it."""
    zoom = min(1.0, side / max(rgb.shape[:2]))
    size = (max(1, round(zoom * rgb.shape[1])), max(1, round(zoom * rgb.shape[0])))
    small = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)
    chroma = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32) - np.array((0, 128, 128), np.float32)
    return chroma, np.diag((size[0] / rgb.shape[1], size[1] / rgb.shape[0], 1.0))


def _negated(chroma: Any) -> Any:
    return np.array((255, 0, 0), np.float32) - chroma


def _placed(first: Any, second: Any, matrix: Matrix) -> list[tuple[Any, Any]] | None:
    """Luma, and chroma as complex numbers, of both at the pixels of the common area."""
    warped = _warped(first, second, matrix, _SIDE)
    if warped is None:
        return None
    inside = warped[2]
    return [(each[inside][:, 0], each[inside][:, 1] + 1j * each[inside][:, 2]) for each in warped[:2]]


def _warped(first: Any, second: Any, matrix: Matrix, side: int) -> tuple[Any, Any, NDArray[np.bool_]] | None:
    """Both pictures on the raster of their common area, and where they are; None where that is too small."""
    lumas = [np.clip(each[..., 0], 0, 255).astype(np.uint8) for each in (first, second)]
    common = lay(lumas[0], lumas[1], matrix, side)
    if common is None:
        return None
    inside = cv2.erode(common.inside, np.ones((3, 3), np.uint8), borderValue=0) > 0
    if inside.sum() < _LEAST:
        return None
    size = (inside.shape[1], inside.shape[0])
    found = []
    for each, placing in ((first, common.placed @ common.matrix), (second, common.placed)):
        shrunk = min(1.0, float(np.linalg.norm(placing[:2, :2], 2)))
        soft = cv2.GaussianBlur(each, (0, 0), 0.8 / max(shrunk, 1e-2)) if shrunk < 1 else each
        found.append(cv2.warpPerspective(soft.astype(np.float32), placing, size))
    return found[0], found[1], inside


def _fitted(start: Any, end: Any) -> tuple[Any, complex, complex]:
    """By how much each colour misses the one linear change that most of them follow, its factor (saturation
    and turn) and its shift; a turn beyond what an edit makes is none."""
    weight = np.ones(len(start))
    for _ in range(_ROUNDS):
        total = weight.sum()
        mean, goal = (weight * start).sum() / total, (weight * end).sum() / total
        spread = (weight * np.abs(start - mean) ** 2).sum() + 1.25 * total
        gain = _limited(complex((weight * (end - goal) * np.conj(start - mean)).sum() / spread))
        shift = complex(goal - gain * mean)
        missed = np.abs(end - gain * start - shift)
        weight = 1 / (1 + (missed / (2 * (np.median(missed) + 3))) ** 2)
    return missed, gain, shift


def _limited(gain: complex) -> complex:
    angle, most = float(np.angle(gain)), np.radians(_TURN)
    if abs(angle) > np.pi / 2:
        return 0j
    if abs(angle) > most:
        edge = np.exp(1j * np.sign(angle) * most)
        gain = complex(max((gain * np.conj(edge)).real, 0) * edge)
    return gain if abs(gain) <= _MOST_GAIN else gain / abs(gain) * _MOST_GAIN
