"""What people call a record: its id, the beginning of its id, or a place where it was found. What they call
anything else that has an id: the beginning of it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
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
    """The one record that a name means: an id, or else a path or address, or else how one id begins, of which
    the last may stand behind its collection: `COLLECTION/ID`.

    Raises RecordNotFound where there is none, AmbiguousId where several collections have the id, and
    InvalidRequest where several ids or places of several records fit.
    """
    with suppress(RecordNotFound):
        return finder.key_of(name, collections)
    found = _keys(index, Filter(tuple(collections), {"source": (place_named(name),)}))
    if not found and len(name) >= LEAST_PREFIX:
        found = _keys(index, Filter(tuple(collections), id_prefix=name))
    within, _, rest = name.partition("/")
    if not found and len(rest) >= LEAST_PREFIX and (not collections or within in collections):
        with suppress(RecordNotFound):
            return finder.key_of(rest, (within,))
        found = _keys(index, Filter((within,), id_prefix=rest))
    if not found:
        raise RecordNotFound(f"there is no record {name}: give an id, the beginning of one, or a path")
    if len(found) > 1:
        shown = ", ".join(f"{key.collection}/{key.id}" for key in found)
        raise InvalidRequest(f"several records fit {name}: {shown}, …")
    return found[0]


def place_named(name: str) -> str:
    """An address as it is, a path as an absolute one; links keep their names."""
    return name if "://" in name else str(Path(os.path.abspath(name)))  # noqa: PTH100


def id_named(name: str, ids: Iterable[str], what: str) -> str:
    """The one of these ids that begins so, or the name itself where none does. Raises InvalidRequest."""
    if len(name) < LEAST_PREFIX:
        return name
    found = [id for id in ids if id.startswith(name)]
    if len(found) > 1 and name not in found:
        raise InvalidRequest(f"several {what} begin with {name}: {found[0]}, {found[1]}, …")
    return found[0] if len(found) == 1 else name


def _keys(index: Index, filter: Filter) -> list[Key]:
    return [record.key for record in index.page(filter, cursor=None, limit=2).records]
