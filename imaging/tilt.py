"""A picture turned by any angle on a plain ground, as editors leave it, between four flat triangles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

#: gray levels within which a pixel is of the ground
_TOLERANCE = 24

#: side of the corner that is looked at
_CORNER = 4

#: share that the rows of what is not ground fill of the smallest rectangle around it, at least, and of the
#: upright one, at most
_FILLED = 0.93
_WHOLE = 0.95

#: degrees from upright, at least: less is what the hash bears
_LEAST_TURN = 3.0

#: pixels of a side at least
_LEAST_SIDE = 32

#: pixels that are cut off at each side, since the ground is mixed in there
_EDGE = 1.5


@dataclass(frozen=True, slots=True)
class Tilt:
    """A rectangle turned clockwise by `degrees` about the picture's origin: `left`, `top`, `right`, `bottom`
    along its own axes, in pixels. `tilt` tells of 0..90 degrees; the `other` may be meant as well."""

    degrees: float
    left: float
    top: float
    right: float
    bottom: float

    @property
    def size(self) -> tuple[int, int]:
        return round(self.right - self.left), round(self.bottom - self.top)

    @property
    def other(self) -> Tilt:
        """The same rectangle, taken to be turned anticlockwise by the rest of a right angle."""
        return Tilt(self.degrees - 90, -self.bottom, self.left, -self.top, self.right)

    @property
    def affine(self) -> tuple[float, ...]:
        """From a pixel of the upright rectangle to one of the picture, as Pillow's transform has it."""
        cosine, sine = np.cos(np.radians(self.degrees)), np.sin(np.radians(self.degrees))
        x, y = cosine * self.left - sine * self.top, sine * self.left + cosine * self.top
        return float(cosine), float(-sine), float(x), float(sine), float(cosine), float(y)


def tilt(rgb: NDArray[np.uint8]) -> Tilt | None:
    """The turned rectangle on a plain ground of a raster [H, W, 3]; None where there is none."""
    outline = _outline(rgb)
    if outline is None:
        return None
    points, filled = outline
    degrees = _least(points, np.arange(0, 90, 1.5))
    degrees = _least(points, degrees + np.arange(-1.5, 1.51, 0.25))
    if not _LEAST_TURN < degrees < 90 - _LEAST_TURN:
        return None
    left, top, right, bottom = (float(side[0]) for side in _sides(points, np.array([degrees])))
    area = (right - left) * (bottom - top)
    if filled < _FILLED * area or min(right - left, bottom - top) < _LEAST_SIDE:
        return None
    return Tilt(degrees, left + _EDGE, top + _EDGE, right - _EDGE, bottom - _EDGE)


def _outline(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], int] | None:
    """The ends [N, 2] of the rows of what is not ground, and how many pixels lie between them."""
    height, width = rgb.shape[:2]
    near, far = slice(None, _CORNER), slice(-_CORNER, None)
    corners = np.array([rgb[y, x].mean(axis=(0, 1)) for y in (near, far) for x in (near, far)])
    ground = np.median(corners, axis=0)
    if np.abs(corners - ground).max() > _TOLERANCE:
        return None
    busy = np.zeros((height, width), np.bool_)
    for channel, level in enumerate(ground.tolist()):
        values = rgb[:, :, channel]
        busy |= (values < max(level - _TOLERANCE, 0)) | (values > min(level + _TOLERANCE, 255))
    rows = np.flatnonzero(np.count_nonzero(busy, axis=1) >= 2)
    if len(rows) < _LEAST_SIDE:
        return None
    first = busy[rows].argmax(axis=1)
    end = width - busy[rows][:, ::-1].argmax(axis=1)
    filled = int((end - first).sum())
    upright = len(rows) * int(end.max() - first.min())  # the area of the rectangle that is not turned
    if filled > _WHOLE * upright:
        return None
    ends = [np.stack([x, y], axis=1) for x in (first, end) for y in (rows, rows + 1)]
    return np.concatenate(ends).astype(np.float32), filled


def _sides(points: NDArray[np.float32], degrees: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Left, top, right, bottom of the rectangle around the points, for each angle."""
    cosine, sine = np.cos(np.radians(degrees))[:, None], np.sin(np.radians(degrees))[:, None]
    across = cosine * points[:, 0] + sine * points[:, 1]
    down = cosine * points[:, 1] - sine * points[:, 0]
    return across.min(axis=1), down.min(axis=1), across.max(axis=1), down.max(axis=1)


def _least(points: NDArray[np.float32], degrees: NDArray[np.float64]) -> float:
    """The angle of the smallest rectangle."""
    left, top, right, bottom = _sides(points, degrees)
    return float(degrees[int(np.argmin((right - left) * (bottom - top)))])
