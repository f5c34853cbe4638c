"""AugNet (Chen et al. 2021), with its authors' weights: the extra `augnet` brings their package `imgsim`."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.decode import DecodedImage
from facsimile.imaging.models.base import ModelOptions, imported
from facsimile.imaging.models.pytorch import TorchModel, without_strips


class AugNet(TorchModel):
    """A ResNet-50 trained without labels. The package holds network, weights and preprocessing; pictures
    keep their shape, so they are computed one at a time."""

    extra = "augnet"
    name = "augnet"
    dims = 768
    preprocess = "shorter side to 350, ImageNet mean and deviation; strips squashed to a square before"

    def __init__(self, options: ModelOptions) -> None:
        super().__init__(options)
        self._imgsim = imported("imgsim", self.extra)
        self.identity = f"augnet:imgsim-{version('imgsim')}"

    def prepare(self, picture: DecodedImage) -> NDArray[np.uint8]:
        return np.ascontiguousarray(without_strips(picture)[..., ::-1])  # it takes blue, green, red

    def _compute(self, prepared: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
        with self._torch.inference_mode():
            return np.stack([self._network.vectorize(picture) for picture in prepared])

    def _load(self) -> Any:
        return self._imgsim.Vectorizer(self._device)
