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

_ROUNDS = 6
_MOST_GAIN = 4.0

Rgb = NDArray[np.uint8]


def recoloured(first: Rgb, second: Rgb, matrix: Matrix, texture: float, *, negative: bool) -> bool:
    """Whether two pictures [H, W, 3] that the map lays on each other differ in the colours of a part.

    One change of all colours is an edit: gray, sepia, a cast, more or less saturation, a small turn of hue.
    Where some pixels miss it by far, a part was recoloured. `texture` is the share of textured cells.
    """
    one, scale = _chroma(first)
    other, other_scale = _chroma(second)
    placed = _placed(one, _negated(other) if negative else other, other_scale @ matrix @ np.linalg.inv(scale))
    if placed is None:
        return False
    (luma, colour), (other_luma, other_colour) = placed
    fits = [_fitted(one, other) for one, other in ((colour, other_colour), (other_colour, colour))]
    missed, gain, shift = min(fits, key=lambda fit: float((fit[0] > _MISSED).mean()))
    if (missed > _MISSED).mean() > (_SHARE if texture < _RICH else _SHARE_RICH):
        return True
    if texture >= _FLAT:
        return False
    chroma = sorted(float(np.quantile(np.abs(each), 0.95)) for each in (colour, other_colour))
    if chroma[0] < _GRAY:
        faded = float(np.quantile(np.abs(luma - other_luma), 0.9))
        return chroma[1] >= _COLOURED and faded > _LUMA_KEPT
    turned = abs(gain) > _TURN_KNOWN and abs(np.degrees(np.angle(gain))) > _STRICT_TURN
    saturation = _STRICT_GAIN[0] <= abs(gain) <= _STRICT_GAIN[1] or abs(shift) >= _TINT
    return turned or not saturation or float(np.quantile(missed, 0.95)) > _STRICT_MISSED


def _chroma(rgb: Rgb) -> tuple[Any, Matrix]:
    """Luma and the two differences of colour (ITU-R 601), float32 [H, W, 3], of the shrunk picture, and the
    map
    that shrank it."""
    zoom = min(1.0, _SHRUNK / max(rgb.shape[:2]))
    size = (max(1, round(zoom * rgb.shape[1])), max(1, round(zoom * rgb.shape[0])))
    small = cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)
    chroma = cv2.cvtColor(small, cv2.COLOR_RGB2YCrCb).astype(np.float32) - np.array((0, 128, 128), np.float32)
    return chroma, np.diag((size[0] / rgb.shape[1], size[1] / rgb.shape[0], 1.0))


def _negated(chroma: Any) -> Any:
    return np.array((255, 0, 0), np.float32) - chroma


def _placed(first: Any, second: Any, matrix: Matrix) -> list[tuple[Any, Any]] | None:
    """Luma, and chroma as complex numbers, of both at the pixels of the common area."""
    lumas = [np.clip(each[..., 0], 0, 255).astype(np.uint8) for each in (first, second)]
    common = lay(lumas[0], lumas[1], matrix, _SIDE)
    if common is None:
        return None
    inside = cv2.erode(common.inside, np.ones((3, 3), np.uint8), borderValue=0) > 0
    if inside.sum() < _LEAST:
        return None
    size = (inside.shape[1], inside.shape[0])
    found = []
    for each, placing in ((first, common.placed @ common.matrix), (second, common.placed)):
        shrunk = min(1.0, float(np.linalg.norm(placing[:2, :2], 2)))
        soft = cv2.GaussianBlur(each, (0, 0), 0.8 / max(shrunk, 1e-2))
        pixels = cv2.warpPerspective(soft.astype(np.float32), placing, size)[inside]
        found.append((pixels[:, 0], pixels[:, 1] + 1j * pixels[:, 2]))
    return found


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
