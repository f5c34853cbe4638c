"""Descriptors of others, each from the description of its method; PDQ by its authors' code."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.accuracy.descriptor import Arrays, Descriptor
from benchmarks.accuracy.pictures import Seen
from facsimile.imaging.distance import hamming
from facsimile.search.evaluation.methods.goldberg import normalised_distances, signature


def _gray(seen: Seen, width: int, height: int) -> NDArray[np.float64]:
    """The luma as area averages, [height, width]."""
    picture = Image.fromarray(seen.picture.luma).resize((width, height), Image.Resampling.BOX)
    return np.asarray(picture, np.float64)


def _negative_hamming(asked: NDArray[np.uint8], stored: NDArray[np.uint8]) -> NDArray[np.float32]:
    return -np.stack([hamming(one, stored) for one in asked]).astype(np.float32)


class Hash64(Descriptor):
    """A hash of 64 bits."""

    bytes = 8

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        return _negative_hamming(queries["bits"], index["bits"])


class Phash64(Hash64):
    """pHash (Zauner 2010): the 8x8 lowest DCT coefficients of a 32x32 luma square around their median."""

    key = "phash64"

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        frequency, sample = np.arange(8)[:, None], np.arange(32)[None]
        basis = np.cos(np.pi * frequency * (2 * sample + 1) / 64)
        low = basis @ _gray(seen, 32, 32) @ basis.T
        return {"bits": np.packbits(low.ravel() > np.median(low))}


class Dhash64(Hash64):
    """dHash (Krawetz 2013): whether each pixel of a 9x8 luma raster is brighter than the one to its left."""

    key = "dhash64"

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        return {"bits": np.packbits(np.diff(_gray(seen, 9, 8), axis=1).ravel() > 0)}


class Pdq(Descriptor):
    """PDQ (Facebook 2019), its authors' code, upright as it is used."""

    key = "pdq"
    bytes = 32

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        import pdqhash  # type: ignore[import-untyped]

        ways, _quality = pdqhash.compute_dihedral(seen.picture.rgb)
        return {"bits": np.packbits(np.stack(ways).astype(np.uint8), axis=-1)}

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        return _negative_hamming(queries["bits"][:, 0], index["bits"][:, 0])


class PdqTurned(Pdq):
    """PDQ with the query in its eight orientations."""

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        stored = index["bits"][:, 0]
        ways = [hamming(asked[:, None], stored[None]).min(axis=0) for asked in queries["bits"]]
        return -np.stack(ways).astype(np.float32)


class Vectors(Descriptor):
    """Unit vectors, compared by cosine."""

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        return np.asarray(queries["vector"] @ index["vector"].T, np.float32)


class Histogram(Vectors):
    """Colours: 8x8x8 bins of hue, saturation and value; the cosine of square roots is Bhattacharyya's."""

    key = "histogram"
    bytes = 2048

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        hsv = np.asarray(Image.fromarray(seen.picture.rgb).convert("HSV"), np.int64) // 32
        counts = np.bincount((hsv @ np.array([64, 8, 1])).ravel(), minlength=512)
        return {"vector": np.sqrt(counts / counts.sum()).astype(np.float32)}


class Gradients(Vectors):
    """HOG (Dalal and Triggs 2005) in short: 64x64 luma, 8x8 cells, 8 directions; square roots of the whole
    instead of overlapping blocks."""

    key = "hog"
    bytes = 2048

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        down, across = np.gradient(_gray(seen, 64, 64))
        direction = (np.arctan2(down, across) % np.pi / np.pi * 8).astype(np.int64) % 8
        row, column = np.indices(direction.shape) // 8
        place = (row * 8 + column) * 8 + direction
        weights = np.hypot(down, across).ravel()
        vector = np.sqrt(np.bincount(place.ravel(), weights, minlength=512))
        return {"vector": (vector / max(float(np.linalg.norm(vector)), 1e-9)).astype(np.float32)}


class Goldberg(Descriptor):
    """The signature of image-match, by the method of the evaluation."""

    key = "goldberg-2"
    bytes = 648

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        return {"signature": signature(seen.picture.luma)}

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        """Minus the normalised distance."""
        return -normalised_distances(queries["signature"], index["signature"])
