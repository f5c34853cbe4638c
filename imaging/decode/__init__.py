"""Bytes to one upright picture, under limits: the only home of Pillow."""

from facsimile.imaging.decode.decoded_image import (
    LUMA_SIDE,
    THUMBNAIL_BYTES,
    THUMBNAIL_SIDE,
    DecodedImage,
    shrunk,
    thumbnail,
)
from facsimile.imaging.decode.reading import WORKING_SIDE, Limits, decode

__all__ = [
    "LUMA_SIDE",
    "THUMBNAIL_BYTES",
    "THUMBNAIL_SIDE",
    "WORKING_SIDE",
    "DecodedImage",
    "Limits",
    "decode",
    "shrunk",
    "thumbnail",
]
