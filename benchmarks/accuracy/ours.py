"""The product's own signatures, by the product's own code."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import Arrays, Descriptor
from benchmarks.accuracy.pictures import Seen
from imaging import phash
from imaging.describe import describe
from imaging.distance import hamming
from imaging.models import bundled, model
from imaging.orientation import ORIENTATIONS, orient_spectrum
from search import score

#: farther than any two hashes, for pictures without one
_NO_HASH = 257


class Hash(Descriptor):
    """The perceptual hash, of the whole picture and without its margins; queries in eight orientations."""

    key = phash.HASH_VERSION
    bytes = 64

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        description = describe(seen.data)
        trimmed = description.spectrum_trimmed
        return {
            "spectra": np.stack([description.spectrum, description.spectrum if trimmed is None else trimmed]),
            "margins": np.array(trimmed is not None),
            "quality": np.array(description.quality),
        }

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        """Minus the smallest Hamming distance over the ways to turn and trim both pictures."""
        stored, margins = phash.bits_of(index["spectra"]), index["margins"]
        whole, trimmed = stored[:, 0], stored[margins, 1]
        blank = index["quality"] == 0
        nearest = np.empty((len(queries["spectra"]), len(stored)), np.float32)
        for row, spectra in enumerate(queries["spectra"]):
            looks = spectra if queries["margins"][row] else spectra[:1]
            asked = np.concatenate([phash.bits_of(orient_spectrum(looks, way)) for way in ORIENTATIONS])
            distance = hamming(asked[:, None], whole).min(axis=0)
            distance[margins] = np.minimum(distance[margins], hamming(asked[:, None], trimmed).min(axis=0))
            nearest[row] = np.where(blank | (queries["quality"][row] == 0), _NO_HASH, distance)
        return -nearest


class WholeHash(Hash):
    """The same hash as others have it: of the whole picture, upright."""

    bytes = 32

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        asked, stored = phash.bits_of(queries["spectra"][:, 0]), phash.bits_of(index["spectra"][:, 0])
        return -np.stack([hamming(one, stored) for one in asked]).astype(np.float32)


class Network(Descriptor):
    """A model of the product by its name, compared by cosine; the key follows the weights."""

    def __init__(self, name: str = "facsimile") -> None:
        self._model = model(name)
        digest = hashlib.sha256(bundled.WEIGHTS.read_bytes()).hexdigest() if name == "facsimile" else ""
        self.key = f"{self._model.identity}-{digest[:12]}".replace(":", "-").strip("-")
        self.bytes = 4 * self._model.dims

    def describe(self, seen: Seen) -> dict[str, NDArray[Any]]:
        return {"vector": self._model.vectors([self._model.prepare(seen.picture)])[0]}

    def similarity(self, queries: Arrays, index: Arrays) -> NDArray[np.float32]:
        return np.asarray(queries["vector"] @ index["vector"].T, np.float32)


def fused(hashes: NDArray[np.float32], cosines: NDArray[np.float32]) -> NDArray[np.float32]:
    """The evidence behind `search.score.score`, which orders as the score does, for whole matrices."""
    bits, alike = np.maximum(score._FAR + hashes, 0), np.maximum(cosines - score._UNLIKE, 0)
    return np.asarray(score._BASE + score._PER_BIT * bits + score._PER_COSINE * alike, np.float32)
