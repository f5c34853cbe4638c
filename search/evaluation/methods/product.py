"""The signatures of Facsimile by themselves, and the whole product: candidates, ranking and proof."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging import phash
from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
from facsimile.imaging.orientation import ORIENTATIONS, orient_spectrum
from facsimile.imaging.record import BITS, ImageRecord
from facsimile.search.evaluation.methods.base import (
    DescriptorMethod,
    Descriptors,
    HashMethod,
    Method,
    Option,
    VectorMethod,
)
from facsimile.search.evaluation.picture import EvaluationPicture
from facsimile.search.finder import Finder
from facsimile.search.index.opening import open_index, signatures_of
from facsimile.search.match import Match, Verdict
from facsimile.search.params import SearchParams

#: farther than any two hashes, for pictures without one
_NO_HASH = BITS + 1

#: matches of one query that the product returns
LIMIT = 20


class FacsimileHash(DescriptorMethod):
    """256 signs of a discrete cosine transform, of the whole picture and without its margins; queries in
    eight orientations."""

    name = "facsimile-hash"
    paper = "pHash (Zauner 2010) of 256 bits in eight orientations; docs/accuracy.md"
    unit = HashMethod.unit
    common_options: ClassVar[Mapping[str, Option]] = {}

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        return hash_descriptors(picture.data)

    def distances(self, queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
        return hash_distances(queries, references)

    def bytes(self, descriptors: Descriptors) -> float:
        """What the index stores: one hash, and a second one of pictures with margins."""
        return BITS / 8 * (1 + float(descriptors["margins"].mean()))


def hash_descriptors(data: bytes) -> dict[str, NDArray[Any]]:
    """Of a file: the spectra [2, 16, 16] of the whole picture and without margins, whether it has margins,
    and the quality."""
    description = describe(data)
    trimmed = description.spectrum_trimmed
    return {
        "spectra": np.stack([description.spectrum, description.spectrum if trimmed is None else trimmed]),
        "margins": np.array(trimmed is not None),
        "quality": np.array(description.quality),
    }


def hash_distances(queries: Descriptors, references: Descriptors) -> NDArray[np.float32]:
    """The smallest Hamming distances over the ways to turn and trim both pictures, [queries, references]; 257
    where one is blank."""
    agreeing = np.full((len(queries["margins"]), len(references["margins"])), -BITS, np.float32)
    stored = [(columns, _signs(looks).T) for columns, looks in _looks(references)]
    for way in ORIENTATIONS:
        for rows, looks in _looks(queries):
            asked = _signs(orient_spectrum(looks, way))
            for columns, signs in stored:
                place = np.ix_(rows, columns)
                agreeing[place] = np.maximum(agreeing[place], asked @ signs)
    blank = (queries["quality"] == 0)[:, None] | (references["quality"] == 0)
    return np.where(blank, np.float32(_NO_HASH), (BITS - agreeing) / 2).astype(np.float32)


def _signs(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """Hashes as 256 signs, -1 or 1: their products count the bits that agree, less the others."""
    return 2 * np.unpackbits(phash.bits_of(spectra), axis=-1).astype(np.float32) - 1


def _looks(pictures: Descriptors) -> list[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """The whole pictures, and those that have margins without them: which they are, and their spectra."""
    trimmed = np.flatnonzero(pictures["margins"])
    every = np.arange(len(pictures["margins"]))
    return [(every, pictures["spectra"][:, 0]), (trimmed, pictures["spectra"][trimmed, 1])]


class FacsimileVector(VectorMethod):
    """256 values of the network that comes with Facsimile."""

    name = "facsimile-vector"
    paper = "docs/model-card.md"
    common_options: ClassVar[Mapping[str, Option]] = {}

    def _describe(self, picture: EvaluationPicture) -> dict[str, NDArray[Any]]:
        network = model()
        return {"vector": network.vectors([network.prepare(picture.decoded)])[0]}

    def bytes(self, descriptors: Descriptors) -> float:
        """In half precision, as an index keeps them."""
        return float(2 * descriptors["vector"].shape[1])


class WholeProduct(Method):
    """A search of an embedded index with proof by geometry. A pair has the score of its match, plus 1 if the
    verdict is `copy` or `identical`, and 0 if the search does not return it."""

    name = "facsimile"
    paper = "docs/architecture.md, docs/accuracy.md"
    unit = "score, plus 1 if proven"
    direction = "similarity"
    sampled = True
    common_options: ClassVar[Mapping[str, Option]] = {}

    def records(self, pictures: Mapping[int, EvaluationPicture]) -> list[ImageRecord]:
        """The records of references by their places."""
        return [
            ImageRecord.of(describe(picture.data, model=model()), id=str(place))
            for place, picture in pictures.items()
        ]

    def search(
        self, finder: Finder, queries: Sequence[EvaluationPicture], references: int
    ) -> NDArray[np.float32]:
        """Every query searched for: [queries, references]."""
        described = [describe(query.data, model=model()) for query in queries]
        result = np.zeros((len(queries), references), np.float32)
        for row, description in enumerate(described):
            matches = finder.search(description, SearchParams(limit=LIMIT))
            for match in matches:
                result[row, int(match.record.id)] = _value(match)
        return result


def _value(match: Match) -> float:
    return float(match.score + (match.verdict in (Verdict.COPY, Verdict.IDENTICAL)))


def write_index(folder: Path, records: Iterable[Sequence[ImageRecord]]) -> int:
    """Write records into a new embedded index in this folder; returns its size in bytes."""
    with open_index(str(folder), create=signatures_of(model())) as index:
        for some in records:
            index.put(some)
        index.refresh()
        return index.info().bytes


def open_finder(folder: Path) -> Finder:
    """A finder over the index of `write_index`."""
    return Finder(open_index(str(folder)), model=model())
