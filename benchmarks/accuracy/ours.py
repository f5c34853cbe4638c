"""The product's own signatures, by the product's own code."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import Arrays, Descriptor
from benchmarks.accuracy.pictures import Seen
from facsimile.imaging import decode, margins, phash
from facsimile.imaging.describe import describe
from facsimile.imaging.distance import hamming
from facsimile.imaging.models import bundled, model
from facsimile.imaging.orientation import ORIENTATIONS, orient_spectrum
from facsimile.imaging.record import BITS
from facsimile.search import score

#: farther than any two hashes, for pictures without one
_NO_HASH = np.float32(257)


def _code(*modules: ModuleType) -> str:
    """What changes with the code of these modules, so that no kept value outlives it."""
    sources = b"".join(Path(str(module.__file__)).read_bytes() for module in modules)
    return hashlib.sha256(sources).hexdigest()[:8]


def _signs(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hashes as 256 signs, -1 or 1: their products count the bits that agree, less the others."""
    bits = np.unpackbits(phash.bits_of(spectra), axis=-1)
    return 2 * bits.astype(np.float32) - 1


def _looks(pictures: Arrays) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The whole pictures, and those that have margins without them: which they are, and their spectra."""
    trimmed = np.flatnonzero(pictures["margins"])
    every = np.arange(len(pictures["margins"]))
    return [(every, pictures["spectra"][:, 0]), (trimmed, pictures["spectra"][trimmed, 1])]


class Hash(Descriptor):
    """The perceptual hash, of the whole picture and without its margins; queries in eight orientations."""

    key = f"{phash.HASH_VERSION}-{_code(decode, margins, phash)}"
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
        agreeing = np.full((len(queries["margins"]), len(index["margins"])), -BITS, np.float32)
        for way in ORIENTATIONS:
            for rows, looks in _looks(queries):
                asked = _signs(orient_spectrum(looks, way))
                for columns, stored in _looks(index):
                    place = np.ix_(rows, columns)
                    agreeing[place] = np.maximum(agreeing[place], asked @ _signs(stored).T)
        blank = (queries["quality"] == 0)[:, None] | (index["quality"] == 0)
        return np.where(blank, -_NO_HASH, (agreeing - BITS) / 2)


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
    """The evidence behind `facsimile.search.score.score`, which orders as it does, for whole matrices."""
    bits, alike = np.maximum(score._FAR + hashes, 0), np.maximum(cosines, 0)
    return np.asarray(score._BASE + score._PER_BIT * bits + score._PER_COSINE * alike, np.float32)
