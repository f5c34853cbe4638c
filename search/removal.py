"""Removing records by what people call them: ids, places, folders and globs of places."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import RecordNotFound
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.names import key_named, place_named
from facsimile.search.query import Filter

_WILDCARD = re.compile(r"[*?\[]")


@dataclass(frozen=True, slots=True, eq=False)
class Removal:
    """A record to remove, or to take `places` from where it has others left."""

    record: ImageRecord
    places: frozenset[str] = frozenset()

    @property
    def is_whole(self) -> bool:
        """Whether no place is left, so that the record goes."""
        return not self.places or self.places.issuperset(self.record.present)


def removals(finder: Finder, index: Index, name: str, collections: Sequence[str] = ()) -> list[Removal]:
    """What a name removes: an id, or the beginning of one, its record; a path, a folder, an address or a glob
    (`*` for any text, also across folders) the places that it names.

    Raises RecordNotFound where it names nothing, AmbiguousId, and InvalidRequest where several ids begin so.
    """
    within = tuple(collections)
    if not index.keys_of(name, within):
        place = place_named(name)
        found = _at(index, Filter(within, {"source": (place,)}), lambda source: source == place)
        if not found:
            folder = place.rstrip("/") + "/"
            found = _at(index, Filter(within, under=folder), lambda source: source.startswith(folder))
        if not found and (wildcard := _WILDCARD.search(place)):
            under = place[: wildcard.start()]
            found = _at(index, Filter(within, under=under), lambda source: fnmatchcase(source, place))
        if found:
            return found
        if _WILDCARD.search(name):
            raise RecordNotFound(f"no stored image lies at {name}")
    try:
        key = key_named(finder, index, name, within)
    except RecordNotFound:
        raise RecordNotFound(f"there is no record with the id {name}") from None
    record = index.get([key], full=False).get(key)
    if record is None:
        raise RecordNotFound(f"there is no record {name}")
    return [Removal(record)]


def merged(found: Sequence[Removal]) -> list[Removal]:
    """One removal of each record."""
    by_key: dict[Key, Removal] = {}
    for each in found:
        known = by_key.get(each.record.key)
        if known is None or not each.places:
            by_key[each.record.key] = each
        elif known.places:
            by_key[each.record.key] = Removal(known.record, known.places | each.places)
    return list(by_key.values())


def remove(index: Index, found: Sequence[Removal]) -> int:
    """Carry out removals; returns how many records were deleted."""
    for each in found:
        if not each.is_whole:
            index.amend(each.record.key, partial(_without, places=each.places))
    deleted = index.delete([each.record.key for each in found if each.is_whole])
    index.refresh()
    return deleted


def _without(record: ImageRecord, places: frozenset[str]) -> ImageRecord:
    return record.replaced(
        sources=tuple(source for source in record.sources if source not in places),
        gone=tuple(source for source in record.gone if source not in places),
    )


def _at(index: Index, filter: Filter, wanted: Callable[[str], bool]) -> list[Removal]:
    found = []
    for record in index.scan(filter):
        places = frozenset(source for source in (*record.sources, *record.gone) if wanted(source))
        if places:
            found.append(Removal(record, places))
    return found
