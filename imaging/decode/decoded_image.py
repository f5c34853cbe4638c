"""One decoded picture, and its thumbnail."""

from __future__ import annotations

import dataclasses
import io
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facsimile.imaging.decode.jpeg import without_metadata
from facsimile.imaging.margins import Box

#: side of the luma square that is hashed
LUMA_SIDE = 64

#: longest side of a thumbnail
THUMBNAIL_SIDE = 320

#: a JPEG of a thumbnail's size serves as its own thumbnail up to this many bytes
THUMBNAIL_BYTES = 32 * 1024


@dataclass(frozen=True, eq=False)
class DecodedImage:
    """One decoded picture, upright and in sRGB. `width` and `height` are those of the original, `format` is
    Pillow's name of the format; the arrays are those of the working raster, which may be smaller."""

    width: int
    height: int
    format: str
    _raster: Image.Image  # mode RGB, or L for gray
    _as_stored: bool  # the file's own pixels are those of the raster: not turned, no other colours
    pixels: str = ""  # digest of all content (`facsimile.imaging.decode.content`), where it was asked for

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """The working raster, uint8 [H, W, 3]."""
        return np.asarray(self._raster.convert("RGB"))

    @cached_property
    def _gray(self) -> Image.Image:
        return self._raster if self._raster.mode == "L" else self._raster.convert("L")

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        """The brightness (ITU-R 601) of the working raster, uint8 [H, W]."""
        return np.asarray(self._gray)

    @cached_property
    def small(self) -> DecodedImage:
        """The picture as its thumbnail shows it, its working raster at most 320 pixels a side."""
        if max(self._raster.size) <= THUMBNAIL_SIDE:
            return self
        raster = self._raster.resize(_within(self._raster, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
        return dataclasses.replace(self, _raster=raster, _as_stored=False)

    @property
    def middle(self) -> Box:
        """The largest square in the middle of the working raster."""
        width, height = self._raster.size
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        return left, top, left + side, top + side

    def part(self, box: Box) -> DecodedImage:
        """What lies inside the box, in pixels of the working raster, as a picture by itself."""
        return self._cut(self._raster.crop(box))

    def turned(self, affine: tuple[float, ...], size: tuple[int, int]) -> DecodedImage:
        """What an affine map (six numbers) takes a raster of this size to, as a picture by itself."""
        return self._cut(
            self._raster.transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
        )

    def _cut(self, raster: Image.Image) -> DecodedImage:
        return DecodedImage(*raster.size, self.format, raster, _as_stored=False)

    def luma_square(self, box: Box | None = None) -> NDArray[np.uint8]:
        """The luma, or the part of it inside the box, as area averages: uint8 [64, 64]."""
        return np.asarray(self._gray.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.BOX, box))

    def square(self, side: int) -> NDArray[np.uint8]:
        """The colours squashed to a square by area averages: uint8 [side, side, 3]."""
        return np.asarray(self._raster.resize((side, side), Image.Resampling.BOX).convert("RGB"))


def thumbnail(picture: DecodedImage, data: bytes) -> bytes:
    """A JPEG of at most 320 pixels a side, without metadata.

    A small JPEG serves itself, less what is not the picture: to encode it again would take longer than
    decoding, and lose quality.
    """
    if picture._as_stored and max(picture.width, picture.height) <= THUMBNAIL_SIDE:
        bare = without_metadata(data)
        if bare is not None and len(bare) <= THUMBNAIL_BYTES:
            return bare
    encoded = io.BytesIO()
    picture.small._raster.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def shrunk(jpeg: bytes, side: int) -> bytes:
    """A thumbnail as a smaller one, at most so many pixels a side; one that is as small already as it is."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        if max(image.size) <= side:
            return jpeg
        size = _within(image, side)
        image.draft(None, size)  # a JPEG is decoded at a half or a quarter in as much less time
        small = image.resize(size, Image.Resampling.BILINEAR)
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=75)
    return encoded.getvalue()


def _within(image: Image.Image, side: int) -> tuple[int, int]:
    """The size of an image that is made so small that its longest side is this."""
    scale = side / max(image.size)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))
