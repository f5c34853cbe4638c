"""Bytes to pixels to signatures: all that the bytes of one image alone say. No disk, no network, no index."""

from imaging.bands import neighbours, probed, terms
from imaging.decode import Limits, Picture, decode, thumbnail
from imaging.describe import Look, Probes, describe, describe_many, looks, looks_of_bits
from imaging.distance import cosine, hamming
from imaging.errors import BrokenImage, EmptyImage, FacsimileError, ImageError, ImageTooLarge, NotAnImage
from imaging.orientation import ORIENTATIONS, inverse, orient
from imaging.phash import HASH_VERSION
from imaging.record import DEFAULT_COLLECTION, Description, ImageRecord, Key

__all__ = [
    "DEFAULT_COLLECTION",
    "HASH_VERSION",
    "ORIENTATIONS",
    "BrokenImage",
    "Description",
    "EmptyImage",
    "FacsimileError",
    "ImageError",
    "ImageRecord",
    "ImageTooLarge",
    "Key",
    "Limits",
    "Look",
    "NotAnImage",
    "Picture",
    "Probes",
    "cosine",
    "decode",
    "describe",
    "describe_many",
    "hamming",
    "inverse",
    "looks",
    "looks_of_bits",
    "neighbours",
    "orient",
    "probed",
    "terms",
    "thumbnail",
]
