"""Bytes to one upright picture, under limits: the only home of Pillow."""

from facsimile.imaging.decode.picture import (
    LUMA_SIDE,
    THUMBNAIL_BYTES,
    THUMBNAIL_SIDE,
    Picture,
    shrunk,
    thumbnail,
)
from facsimile.imaging.decode.reading import WORKING_SIDE, Limits, decode

__all__ = [
    "LUMA_SIDE",
    "THUMBNAIL_BYTES",
    "THUMBNAIL_SIDE",
    "WORKING_SIDE",
    "Limits",
    "Picture",
    "decode",
    "shrunk",
    "thumbnail",
]
