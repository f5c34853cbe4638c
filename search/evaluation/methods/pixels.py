"""Pixels compared as they are: Euclidean distance, cosine, SSIM."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsimile.search.evaluation.methods.base import DescriptorMethod, Descriptors, Option, VectorMethod
from facsimile.search.evaluation.picture import EvaluationPicture

_SIZE = Option("64", range(4, 513), "side of the square that the picture is squashed to")
_COLOR = Option("gray", ("gray", "rgb"), "compare brightness, or the three channels")


class Euclidean(VectorMethod):
    """The Euclidean distance of two squares of pixels."""

    name = "euclidean"
    paper = "pixel by pixel; no source"
    unit = "Euclidean distance of pixels (0..1)"
    direction = "distance"
    options: ClassVar[Mapping[str, Option]] = {
        "size": _SIZE,
        "color": _COLOR,
        "library": Option("numpy", ("numpy", "scipy"), "what computes the distance"),
    }

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        side = self.number("size")
        pixels = picture.scaled(side, side, color=self.chosen["color"])
        return {"vector": (pixels.ravel() / 255).astype(np.float32)}

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        if self.chosen["library"] == "scipy":
            spatial = self._imported("scipy.spatial.distance")
            return np.asarray(spatial.cdist(queries["vector"], references["vector"]), np.float32)
        return super().distances(queries, references)


class PixelCosine(VectorMethod):
    """The cosine of two squares of pixels less their means."""

    name = "cosine"
    paper = "pixel by pixel; no source"
    options: ClassVar[Mapping[str, Option]] = {"size": _SIZE, "color": _COLOR}

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        side = self.number("size")
        pixels = picture.scaled(side, side, color=self.chosen["color"]).ravel()
        return {"vector": (pixels - pixels.mean()).astype(np.float32)}


class Ssim(DescriptorMethod):
    """The mean structural similarity of two squares of pixels, in windows of 7x7 pixels."""

    name = "ssim"
    paper = "Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, Image Quality Assessment, IEEE TIP 2004"
    unit = "mean SSIM"
    direction = "similarity"
    sampled = True
    options: ClassVar[Mapping[str, Option]] = {"size": Option("64", range(8, 513), _SIZE.meaning)}

    _window = 7
    _constants = ((0.01 * 255) ** 2, (0.03 * 255) ** 2)

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        side = self.number("size")
        return {"pixels": picture.scaled(side, side).astype(np.uint8)}

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        second = references["pixels"].astype(np.float32)
        second_mean = self._means(second)
        second_variance = self._means(second * second) - second_mean**2
        rows = []
        for pixels in queries["pixels"]:
            first = pixels.astype(np.float32)
            mean = self._means(first[None])
            variance = self._means((first * first)[None]) - mean**2
            covariance = self._means(first * second) - mean * second_mean
            # sample variances, as scikit-image computes them
            unbiased = self._window**2 / (self._window**2 - 1)
            low, high = self._constants
            above = (2 * mean * second_mean + low) * (2 * unbiased * covariance + high)
            below = (mean**2 + second_mean**2 + low) * (unbiased * (variance + second_variance) + high)
            rows.append((above / below).mean(axis=(1, 2)))
        return np.asarray(rows, np.float32)

    def _means(self, rasters: NDArray[np.float32]) -> NDArray[np.float64]:
        """The means of all whole windows of rasters [N, H, W]."""
        sums = np.pad(rasters.astype(np.float64), ((0, 0), (1, 0), (1, 0))).cumsum(axis=1).cumsum(axis=2)
        side = self._window
        total = (
            sums[:, side:, side:] - sums[:, :-side, side:] - sums[:, side:, :-side] + sums[:, :-side, :-side]
        )
        return np.asarray(total / side**2)
