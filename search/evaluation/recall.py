"""The recall of an index: its candidates, by terms and by the graph of vectors, against exact search."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.describe import describe_many, hash_queries
from facsimile.imaging.distance import hamming
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description, ImageRecord, Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.evaluation.attacks import attack
from facsimile.search.index.base import Index
from facsimile.search.query import Filter, IndexQuery

#: edits of the sample, in turn: the first leave the hash nearly as it is, the last move it far
EDITS = ("jpeg_q30", "text", "colour", "crop_90", "noise", "perspective")

#: upper ends of the ranges of Hamming distance: within the first, every record shares a term with all probes
RANGES = (31, 48, 64, 90)

#: neighbours by vector that are compared, and candidates by hash of a question
NEIGHBOURS, CANDIDATES = 10, 50

#: records that are compared at a time, questions that are asked at a time
_BLOCK, _ASKED = 500, 16

#: cosines that differ by less are a tie
_TIE = 1e-4


@dataclass(frozen=True, slots=True)
class RangeRecall:
    """Of `neighbours` (pairs of a query and a record with a distance in this range), how many were
    candidates."""

    low: int
    high: int
    neighbours: int
    found: int


@dataclass(frozen=True, slots=True)
class IndexRecall:
    """The recall of an index for `queries` edited stored images among `records`. `by_hash`: by range of
    Hamming distance. `by_vector`: the mean share of the exact ten nearest by cosine; None without vectors."""

    queries: int
    records: int
    by_hash: Sequence[RangeRecall]
    by_vector: float | None

    def as_json(self) -> dict[str, Any]:
        return {
            "queries": self.queries,
            "records": self.records,
            "hash": [
                {
                    "distance": [each.low, each.high],
                    "neighbours": each.neighbours,
                    "found": each.found,
                    "recall": round(each.found / each.neighbours, 5) if each.neighbours else None,
                }
                for each in self.by_hash
            ],
            "vector": None
            if self.by_vector is None
            else {"neighbours": NEIGHBOURS, "recall": round(self.by_vector, 5)},
        }


class _Exact:
    """The exact neighbours of some queries, from one pass over all records."""

    def __init__(self, queries: Sequence[Description]) -> None:
        self.near: list[dict[Key, int]] = [{} for _ in queries]
        self.cosines = np.full((len(queries), NEIGHBOURS), -np.inf, np.float32)
        self.records = 0
        self._hashes = [np.stack([variant.bits for variant in hash_queries(query)]) for query in queries]
        vectors = [query.vector for query in queries]
        self._vectors = (
            np.stack([each for each in vectors if each is not None]) if vectors[0] is not None else None
        )

    def add(self, records: Sequence[ImageRecord]) -> None:
        """Compare some records with every query."""
        self.records += len(records)
        sharp = [record for record in records if record.quality]
        looks = [
            (record.key, bits)
            for record in sharp
            for bits in (record.bits, record.bits_trimmed)
            if bits is not None
        ]
        if looks:
            stored = np.stack([bits for _, bits in looks])
            for near, hashes in zip(self.near, self._hashes, strict=True):
                least = hamming(hashes[:, None, :], stored[None, :, :]).min(axis=0)
                for place in np.flatnonzero(least <= RANGES[-1]).tolist():
                    key = looks[place][0]
                    near[key] = min(near.get(key, 257), int(least[place]))
        if self._vectors is not None:
            vectors = [record.vector for record in records if record.vector is not None]
            if vectors:
                both = np.hstack([self.cosines, self._vectors @ np.stack(vectors).T])
                self.cosines = -np.sort(-both, axis=1)[:, :NEIGHBOURS]


def index_recall(
    index: Index,
    records: Sequence[ImageRecord],
    *,
    model: Model | None,
    collection: str = "",
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda step, done, total: None,
) -> IndexRecall:
    """Edit these records, search the index for candidates as a search does, and compare with all records.

    Raises InvalidRequest where there is no record to edit.
    """
    data = [
        attack(record.thumbnail or b"", EDITS[place % len(EDITS)], seed)
        for place, record in enumerate(records)
    ]
    described = describe_many(data, model=model)
    queries = [each for each in described if not isinstance(each, FacsimileError) and each.quality]
    if not queries:
        raise InvalidRequest("there is no image with a thumbnail and some content to search for")
    filter = Filter((collection,) if collection else ())
    exact = _Exact(queries)
    total = index.count(filter)
    block: list[ImageRecord] = []
    for record in index.scan(filter, full=model is not None):
        block.append(record)
        if len(block) == _BLOCK:
            exact.add(block)
            block = []
            progress("compare", exact.records, total)
    if block:
        exact.add(block)
    found: list[tuple[list[ImageRecord], list[ImageRecord]]] = []
    for begin in range(0, len(queries), _ASKED):
        some = queries[begin : begin + _ASKED]
        by_hash = index.ask([_by_hash(query, filter) for query in some])
        by_vector = index.ask([_by_vector(query, filter) for query in some]) if model else [[] for _ in some]
        found += zip(by_hash, by_vector, strict=True)
        progress("search", begin + len(some), len(queries))
    return IndexRecall(
        len(queries),
        exact.records,
        _ranges(exact.near, [{record.key for record in each} for each, _ in found]),
        _vector_recall(queries, exact.cosines, [each for _, each in found]) if model else None,
    )


def _by_hash(query: Description, filter: Filter) -> IndexQuery:
    return IndexQuery(tuple(hash_queries(query)), RANGES[-1], CANDIDATES, filter)


def _by_vector(query: Description, filter: Filter) -> IndexQuery:
    return IndexQuery((), RANGES[-1], CANDIDATES, filter, query.vector, nearest=NEIGHBOURS)


def _ranges(near: Sequence[dict[Key, int]], found: Sequence[set[Key]]) -> list[RangeRecall]:
    """The recall by range; of more neighbours than a question asks for, only the nearest count."""
    counts = np.zeros((len(RANGES), 2), np.int64)
    for neighbours, keys in zip(near, found, strict=True):
        last = sorted(neighbours.values())[CANDIDATES] if len(neighbours) > CANDIDATES else 257
        for key, distance in neighbours.items():
            if distance < last:
                counts[int(np.searchsorted(RANGES, distance))] += (1, key in keys)
    lows = (0, *(high + 1 for high in RANGES[:-1]))
    return [
        RangeRecall(*each, *map(int, pair))
        for each, pair in zip(zip(lows, RANGES, strict=True), counts, strict=True)
    ]


def _vector_recall(
    queries: Sequence[Description], exact: NDArray[np.float32], found: Sequence[Sequence[ImageRecord]]
) -> float:
    """The mean share of the exact neighbours; a candidate as near as the last of them counts as one."""
    shares = []
    for query, cosines, records in zip(queries, exact, found, strict=True):
        there = cosines[np.isfinite(cosines)]
        vectors = [record.vector for record in records if record.vector is not None]
        if not len(there) or query.vector is None:
            continue
        own = np.stack(vectors) @ query.vector if vectors else np.zeros(0)
        shares.append(min(int((own >= there[-1] - _TIE).sum()), len(there)) / len(there))
    return float(np.mean(shares)) if shares else 0.0
