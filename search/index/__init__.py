"""Opening an index: a folder is an embedded one, an http(s) address one on Elasticsearch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from imaging.phash import HASH_VERSION
from search.errors import IndexExists, IndexMissing, InvalidRequest
from search.index.base import Index, Signatures

if TYPE_CHECKING:
    from search.index.elastic_client import ElasticOptions

#: what this version computes
CURRENT = Signatures(hash=HASH_VERSION)


def is_remote(location: str) -> bool:
    """Whether the location names a server, and not a folder; raises InvalidRequest where it names neither."""
    scheme, separator, _ = location.partition("://")
    if not location or (separator and scheme not in ("http", "https")):
        raise InvalidRequest(f"{location!r} is no place of an index: a folder, or http(s)://HOST:PORT/NAME")
    return bool(separator)


def create_index(location: str, options: ElasticOptions | None = None) -> Index:
    """A new, empty index; raises IndexExists where there is one."""
    if is_remote(location):
        from search.index.elastic import ElasticIndex

        return ElasticIndex.create(location, CURRENT, options)
    from search.index.embedded import EmbeddedIndex

    return EmbeddedIndex.create(location, CURRENT)


def open_index(location: str, options: ElasticOptions | None = None, *, create: bool = False) -> Index:
    """The index at a location; where there is none, a new one with `create`, else IndexMissing.

    Raises IndexMismatch where it was made with other signatures.
    """
    try:
        return _opened(location, options)
    except IndexMissing:
        if not create:
            raise
    try:
        return create_index(location, options)
    except IndexExists:  # another process was quicker
        return _opened(location, options)


def _opened(location: str, options: ElasticOptions | None) -> Index:
    if is_remote(location):
        from search.index.elastic import ElasticIndex

        return ElasticIndex.open(location, CURRENT, options)
    from search.index.embedded import EmbeddedIndex

    return EmbeddedIndex.open(location, CURRENT)


def rebuild_index(
    location: str,
    options: ElasticOptions | None = None,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> Index:
    """Build an index anew with the present layout and settings, and put it in the old one's place.

    Records keep the signatures that they have. Searches are served all the while; the result is open.
    Raises the errors of `search.errors`.
    """
    if is_remote(location):
        from search.index.elastic import ElasticIndex

        return ElasticIndex.reindex(location, None, options, progress=progress)
    from search.index.embedded import EmbeddedIndex

    index = EmbeddedIndex.open(location)
    index.reindex()
    return index


def destroy_index(location: str, options: ElasticOptions | None = None) -> None:
    """Remove an index with all its records; raises IndexMissing where there is none."""
    with _opened(location, options) as index:
        index.destroy()
