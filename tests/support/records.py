"""Made-up records: hashes and vectors at known distances."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.bands import neighbours
from facsimile.imaging.describe import HashQuery
from facsimile.imaging.record import BITS, ImageRecord, rounded
from facsimile.search.index.base import Index, Signatures, Status
from facsimile.search.query import Filter, IndexQuery

DIMS = 64
SIGNATURES = Signatures(hash="test-1", model="test", dims=DIMS)

Bits = NDArray[np.uint8]


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def random_bits(rng: np.random.Generator) -> Bits:
    return rng.integers(0, 256, BITS // 8, dtype=np.uint8)


def random_vector(rng: np.random.Generator) -> NDArray[np.float32]:
    """A unit vector at the precision that indices keep."""
    vector = rng.normal(size=DIMS).astype(np.float32)
    kept = rounded(vector / np.linalg.norm(vector))
    assert kept is not None
    return kept


def flipped(bits: Bits, distance: int, rng: np.random.Generator, keep: int = 0) -> Bits:
    """Bits at this distance; the first `keep` stay as they are, so that some band is shared."""
    mask = np.zeros(BITS, np.uint8)
    mask[rng.choice(np.arange(keep, BITS), distance, replace=False)] = 1
    return bits ^ np.packbits(mask)


def record(id: str, rng: np.random.Generator, **fields: Any) -> ImageRecord:
    """A record with random signatures; the fields replace what it would have."""
    made: dict[str, Any] = {
        "sha256": digest(f"bytes of {id}"),
        "pixels": digest(f"pixels of {id}"),
        "width": 640,
        "height": 480,
        "format": "JPEG",
        "size": 1234,
        "quality": 80,
        "bits": random_bits(rng),
    }
    return ImageRecord(id=id, **(made | fields))


def random_panels(rng: np.random.Generator, number: int) -> Bits:
    return rng.integers(0, 256, (number, BITS // 8), dtype=np.uint8)


def look(bits: Bits, *, terms: tuple[str, ...] | None = None, panels: bool = False) -> HashQuery:
    """A variant that asks for every one-bit neighbour unless it is told its terms."""
    return HashQuery(bits, neighbours(bits) if terms is None else terms, panels=panels)


def question(*variants: HashQuery, radius: int = 90, limit: int = 50, **fields: Any) -> IndexQuery:
    return IndexQuery(variants, radius, limit, **fields)


def only(**terms: str) -> Filter:
    """A filter of one value per key; `__` stands for the dot of a path."""
    return Filter(terms={key.replace("__", "."): (value,) for key, value in terms.items()})


def filled(index: Index, *records: ImageRecord) -> Index:
    """The index with these records in it."""
    assert {written.reason for written in index.put(records)} == {""}
    index.refresh()
    return index


def ids(records: list[ImageRecord]) -> set[str]:
    return {each.id for each in records}


def statuses(index: Index, *records: ImageRecord) -> list[Status]:
    """What became of each record of one write."""
    return [written.status for written in index.put(records)]
