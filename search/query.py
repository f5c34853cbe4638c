"""Queries as plain values: the image that is searched for, and what both kinds of index answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.describe import HashQuery
from facsimile.imaging.record import Description, ImageRecord, Key

#: filter keys that name a field of the record; any other key names a path in the metadata
FIELDS = frozenset({"id", "sha256", "source", "page", "site", "format", "tags"})


#: a query image: a described one, or a stored record, which carries its signatures
Asked = Description | ImageRecord


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records match. Empty means all.

    `collections`: any of them. `terms`: for each key, the record has at least one of the values. A key is
    one of `FIELDS` or a dotted path into the metadata (`camera.model`, also spelled `metadata.camera.model`);
    `page` is the address of a page that shows the image, `site` the host of one. Values compare as text,
    numbers as JSON writes them, true and false in small letters. `under`: a prefix of one of the places that
    the record has or had. `id_prefix`: how its id begins.
    """

    collections: tuple[str, ...] = ()
    terms: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    under: str = ""
    id_prefix: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.collections or self.terms or self.under or self.id_prefix)


@dataclass(frozen=True, slots=True, eq=False)
class QueryImage:
    """A described image to search for. `key` names its record where it is a stored one, which does not match
    itself."""

    description: Description
    key: Key | None = None


@dataclass(frozen=True, slots=True, eq=False)
class IndexQuery:
    """One query image, as an index sees it.

    `variants` are its hashes, `radius` the largest Hamming distance of a candidate by hash, `limit` the
    number of those. `vector` is L2-normalised float32; the `nearest` records by cosine are candidates, too,
    and so are all records whose bytes or pixels have one of the SHA-256 `digests`.
    """

    variants: tuple[HashQuery, ...]
    radius: int
    limit: int
    filter: Filter = field(default_factory=Filter)
    vector: NDArray[np.float32] | None = None
    nearest: int = 0
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ListingPage:
    """One page of a listing, and the cursor of the next page (None at the end)."""

    records: list[ImageRecord]
    cursor: str | None


def text_of(value: Any) -> str:
    """A metadata value as the text that filters compare."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
