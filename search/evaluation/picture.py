"""One picture as methods and searches receive it: the bytes of a file, decoded once where that is needed."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facsimile.imaging.decode import DecodedImage, decode


class EvaluationPicture:
    """A picture by the bytes of its file. `rgb` is uint8 [H, W, 3], `luma` uint8 [H, W], `image` the same for
    Pillow. Raises the errors of `facsimile.imaging.errors` at the first use of the pixels."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def decoded(self) -> DecodedImage:
        return decode(self.data)

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        return self.decoded.rgb

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        return self.decoded.luma

    @cached_property
    def image(self) -> Image.Image:
        return Image.fromarray(self.rgb)

    def scaled(self, width: int, height: int, *, color: str = "gray") -> NDArray[Any]:
        """Area averages on a raster of this size: float64 [height, width], or [height, width, 3] if `color`
        is `rgb`."""
        pixels = self.luma if color == "gray" else self.rgb
        return np.asarray(
            Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX), dtype=np.float64
        )


class ChangedPicture(EvaluationPicture):
    """A picture whose pixels were replaced; its bytes are those of the original file."""

    def __init__(self, original: EvaluationPicture, rgb: NDArray[np.uint8]) -> None:
        super().__init__(original.data)
        self._changed = rgb

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        return self._changed

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        return np.asarray(self.image.convert("L"))


def limited(picture: EvaluationPicture, side: int) -> EvaluationPicture:
    """The picture with a longer side of at most `side` pixels."""
    height, width = picture.rgb.shape[:2]
    if max(height, width) <= side:
        return picture
    scale = side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return ChangedPicture(picture, np.asarray(picture.image.resize(size, Image.Resampling.LANCZOS), np.uint8))
