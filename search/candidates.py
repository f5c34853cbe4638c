"""The first phase of every query: the records of an index that may match."""

from __future__ import annotations

from collections.abc import Sequence

from facsimile.imaging.record import ImageRecord
from facsimile.search.index.base import Index
from facsimile.search.query import Asked, Filter, IndexQuery


def candidates(
    index: Index, queries: Sequence[Asked], index_queries: Sequence[IndexQuery], records: Filter
) -> list[list[ImageRecord]]:
    """The candidates of each query image, each record once: those with the same bytes or pixels, and those
    that its index query finds.

    Raises the errors of `facsimile.search.errors`.
    """
    near = index.ask(index_queries)
    same = index.ask_bytes([digest for query in queries for digest in _digests(query)], records)
    found = []
    for query, others in zip(queries, near, strict=True):
        exact = [record for digest in _digests(query) for record in same.get(digest, ())]
        found.append(list({record.key: record for record in [*exact, *others]}.values()))
    return found


def _digests(query: Asked) -> tuple[str, str]:
    return query.sha256, query.pixels
