"""What people call a record: its id, the beginning of its id, or a place where it was found."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest, RecordNotFound
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.query import Filter

#: fewest characters of the beginning of an id
LEAST_PREFIX = 4


def key_named(finder: Finder, index: Index, name: str, collections: Sequence[str] = ()) -> Key:
    """The one record that a name means: an id, or else a path or address, or else how one id begins.

    Raises RecordNotFound where there is none, AmbiguousId where several collections have the id, and
    InvalidRequest where several ids or places of several records fit.
    """
    with suppress(RecordNotFound):
        return finder.key_of(name, collections)
    place = name if "://" in name else str(Path(os.path.abspath(name)))  # noqa: PTH100 - links keep their names
    found = _keys(index, Filter(tuple(collections), {"source": (place,)}))
    if not found and len(name) >= LEAST_PREFIX:
        found = _keys(index, Filter(tuple(collections), id_prefix=name))
    if not found:
        raise RecordNotFound(f"there is no record {name}: give an id, the beginning of one, or a path")
    if len(found) > 1:
        shown = ", ".join(f"{key.collection}/{key.id}" for key in found)
        raise InvalidRequest(f"several records fit {name}: {shown}, …")
    return found[0]


def _keys(index: Index, filter: Filter) -> list[Key]:
    return [record.key for record in index.page(filter, cursor=None, limit=2).records]
