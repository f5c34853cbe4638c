"""What was done to a stored picture to get the query's, read off a projective map: numbers and words."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: corners of an area in shares of a picture's width and height, from its left upper corner
Polygon = tuple[tuple[float, float], ...]

#: what counts as nothing done: shares of an area, degrees, relative changes of a scale
_WHOLE = 0.95
_STRAIGHT = 2.0
_SAME_SIZE = 0.05
_SAME_SHAPE = 0.08
_FLAT = 1.15


@dataclass(frozen=True, slots=True)
class Transformation:
    """One picture in another.

    `kept` is the share of the stored picture's area that is in the query, `covers` the share of the query
    that it fills, `box` where: x, y, width, height in shares of the query. The stored picture was first
    mirrored left to right, if at all, then turned clockwise by `turned` degrees (-180..180). `scale` is
    pixels of the query per pixel of the stored picture, along the latter's width and height. `perspective`
    is the greatest enlargement of a length within the area by the least, 1 where all are equal. `in_query`
    and `in_stored` are the common area in each picture.
    """

    kept: float
    covers: float
    box: tuple[float, float, float, float]
    mirrored: bool
    turned: float
    scale: tuple[float, float]
    perspective: float
    in_query: Polygon
    in_stored: Polygon

    @classmethod
    def of(
        cls, matrix: NDArray[np.float64], in_stored: NDArray[np.float64], sizes: tuple[float, ...]
    ) -> Transformation:
        """From the matrix [3, 3] that takes pixels of the stored picture to the query's, the corners [N, 2]
        of the common area in shares of the stored picture, and the sizes in pixels: width, height of the
        stored picture, then of the query.
        """
        width, height, query_width, query_height = sizes
        inside = np.clip(in_stored, 0, 1)
        corners = inside * (width, height)
        placed = np.c_[corners, np.ones(len(corners))] @ matrix.T
        in_query = np.clip(placed[:, :2] / placed[:, 2:] / (query_width, query_height), 0, 1)
        low, high = in_query.min(axis=0), in_query.max(axis=0)
        local = _derivative(matrix, corners.mean(axis=0))
        mirrored = bool(np.linalg.det(local) < 0)
        across, down = local[:, 0] * (-1 if mirrored else 1), local[:, 1]
        enlargements = [math.sqrt(abs(np.linalg.det(_derivative(matrix, corner)))) for corner in corners]
        return cls(
            kept=_area(inside),
            covers=_area(in_query),
            box=(float(low[0]), float(low[1]), *(float(side) for side in high - low)),  # type: ignore[arg-type]
            mirrored=mirrored,
            turned=math.degrees(math.atan2(across[1], across[0])),
            scale=(float(np.hypot(*across)), float(np.hypot(*down))),
            perspective=max(enlargements) / max(min(enlargements), 1e-9),
            in_query=_polygon(in_query),
            in_stored=_polygon(inside),
        )

    @property
    def words(self) -> str:
        """What was done, as people say it; empty where nothing was."""
        parts = []
        if self.kept < _WHOLE:
            parts.append(f"crop of {self.kept:.0%}".replace("%", " %"))
        if self.mirrored:
            parts.append("mirrored")
        if abs(self.turned) >= _STRAIGHT:
            parts.append(f"turned by {self.turned:.0f}°")
        if self.perspective >= _FLAT:
            parts.append("in perspective")
        across, down = self.scale
        if abs(across / down - 1) >= _SAME_SHAPE:
            parts.append(f"stretched to {100 * across:.0f} % by {100 * down:.0f} %")
        elif abs(math.sqrt(across * down) - 1) >= _SAME_SIZE:
            parts.append(f"scaled to {100 * math.sqrt(across * down):.0f} %")
        x, y, width, height = (round(100 * share) for share in self.box)
        if width * height < 100 * 100 * _WHOLE:
            parts.append(f"pasted at {x} %, {y} %, {width} % wide, {height} % high")
        return ", ".join(parts)

    def as_json(self) -> dict[str, Any]:
        """The transformation as services read it, without the areas."""
        return {
            "words": self.words,
            "kept": round(self.kept, 3),
            "covers": round(self.covers, 3),
            "box": [round(share, 3) for share in self.box],
            "mirrored": self.mirrored,
            "turned": round(self.turned, 1) + 0.0,
            "scale": [round(factor, 3) for factor in self.scale],
            "perspective": round(self.perspective, 2),
        }

    def area_as_json(self) -> dict[str, Any]:
        """The common area in each picture: corners in shares of its width and height."""
        areas = {"query": self.in_query, "stored": self.in_stored}
        return {name: [[round(x, 4), round(y, 4)] for x, y in area] for name, area in areas.items()}


def _derivative(matrix: NDArray[np.float64], place: NDArray[np.float64]) -> NDArray[np.float64]:
    """How the transformation moves what lies around a place: [2, 2]."""
    x, y, w = matrix @ np.array([*place, 1.0])
    return (matrix[:2, :2] - np.outer((x / w, y / w), matrix[2, :2])) / w  # type: ignore[no-any-return]


def _polygon(corners: NDArray[np.float64]) -> Polygon:
    return tuple((float(x), float(y)) for x, y in corners + 0.0)  # -0 becomes 0


def _area(corners: NDArray[np.float64]) -> float:
    """The area of a polygon [N, 2] (the shoelace formula)."""
    x, y = corners.T
    return abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
