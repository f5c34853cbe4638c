"""Pictures that a program has in memory, as the bytes of a file, so that they are read as any other."""

from __future__ import annotations

import io
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facsimile.imaging.errors import NotAnImage

#: a picture in memory
Picture: TypeAlias = Image.Image | NDArray[Any]

#: modes of Pillow that a PNG holds as they are
_AS_PNG = ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")

#: the least of zlib's levels: the bytes are decoded again at once
_COMPRESSION = 1


def encode(picture: Picture) -> bytes:
    """A picture without loss as a PNG, with the colour profile and the EXIF data that it carries.

    An array is uint8 or bool, [H, W], [H, W, 1], [H, W, 3] (RGB) or [H, W, 4] (RGBA), or uint16 [H, W].
    Raises NotAnImage.
    """
    image = picture if isinstance(picture, Image.Image) else _of_array(picture)
    if 0 in image.size:
        raise NotAnImage("the picture has no pixels")
    profile = image.info.get("icc_profile")
    if image.mode not in _AS_PNG:
        image, profile = image.convert("RGB"), None  # that of CMYK is not one of RGB
    encoded = io.BytesIO()
    image.save(
        encoded,
        "PNG",
        compress_level=_COMPRESSION,
        icc_profile=profile,
        exif=picture.getexif() if isinstance(picture, Image.Image) else b"",
    )
    return encoded.getvalue()


def _of_array(array: NDArray[np.generic]) -> Image.Image:
    form = f"{array.dtype} {list(array.shape)}"
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    flat = array.ndim == 2
    if not (flat or (array.ndim == 3 and array.shape[2] in (3, 4))):
        raise NotAnImage(
            f"an array of {form} is no picture: give [height, width] or [height, width, 3] in RGB order"
        )
    if array.dtype == np.bool_:
        array = array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint8 or (array.dtype == np.uint16 and flat):
        return Image.fromarray(np.ascontiguousarray(array))
    raise NotAnImage(f"an array of {form} is no picture: give values of 0 to 255 as uint8")
