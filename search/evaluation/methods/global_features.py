"""Descriptors of the whole picture: colours, and the energy of directions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facsimile.search.evaluation.methods.base import VectorMethod
from facsimile.search.evaluation.picture import EvaluationPicture

#: scales of the Gabor filters of GIST, directions of each, cells in each direction, side of the raster
_SCALES, _DIRECTIONS, _CELLS, _SIDE = 4, 8, 4, 128


class Histogram(VectorMethod):
    """8x8x8 bins of hue, saturation and value; the cosine of their square roots is Bhattacharyya's
    coefficient."""

    name = "histogram"
    paper = "M. J. Swain, D. H. Ballard, Color Indexing, IJCV 1991; distance: Bhattacharyya 1943"
    unit = "cosine"

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        return {"vector": histogram(picture.image)}


def histogram(image: Image.Image) -> NDArray[np.float32]:
    """The square roots of the shares of 512 bins of hue, saturation and value: float32 [512]."""
    hsv = np.asarray(image.convert("HSV"), np.int64) // 32
    counts = np.bincount((hsv @ np.array([64, 8, 1])).ravel(), minlength=512)
    return np.asarray(np.sqrt(counts / counts.sum()), np.float32)


class Gist(VectorMethod):
    """The energy of 4 scales and 8 directions in 4x4 cells: 512 values."""

    name = "gist"
    paper = "A. Oliva, A. Torralba, Modeling the Shape of the Scene, IJCV 2001"
    unit = "Euclidean distance"
    direction = "distance"

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        values = _whitened(np.log1p(picture.scaled(_SIDE, _SIDE)))
        energy = np.abs(np.fft.ifft2(np.fft.fft2(values)[None] * _filters()))
        cell = _SIDE // _CELLS
        means = energy.reshape(-1, _CELLS, cell, _CELLS, cell).mean(axis=(2, 4))
        return {"vector": means.ravel().astype(np.float32)}


def _whitened(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Less the local mean, by the local contrast: the paper's prefilter, at 4 cycles a picture."""
    across = np.fft.fftfreq(_SIDE)[None] * _SIDE
    smooth = np.exp(-(across**2 + across.T**2) / (4 / np.sqrt(np.log(2))) ** 2)

    def blurred(raster: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.fft.ifft2(np.fft.fft2(raster) * smooth).real)

    detail = values - blurred(values)
    return np.asarray(detail / (0.2 + np.sqrt(np.abs(blurred(detail**2)))))


@lru_cache(maxsize=1)
def _filters() -> NDArray[np.float32]:
    """The Gabor filters in the frequency domain, [32, side, side]."""
    across = np.fft.fftfreq(_SIDE)[None]
    radius = np.hypot(across, across.T)
    angle = np.arctan2(across.T, across)
    filters = []
    for scale in range(_SCALES):
        middle = 0.3 / 1.85**scale
        for direction in range(_DIRECTIONS):
            turned = angle + np.pi * direction / _DIRECTIONS
            turned = (turned + np.pi) % (2 * np.pi) - np.pi
            filters.append(
                np.exp(-3.5 * (radius / middle - 1) ** 2 - 2 * np.pi * (_DIRECTIONS / 16) ** 2 * turned**2)
            )
    return np.asarray(filters, np.float32)
