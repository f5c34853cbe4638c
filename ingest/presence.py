"""Which places still hold what was read there: a place holds the bytes of one record at a time."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from facsimile.imaging.record import ImageRecord, Key
from facsimile.ingest.archives import SEPARATOR, is_archive
from facsimile.ingest.item import Item, shown
from facsimile.ingest.open_source import is_remote
from facsimile.search.index.base import Index
from facsimile.search.query import Filter

#: records per page of what an index holds of a folder
PAGE = 2000


@dataclass(frozen=True, slots=True)
class Swept:
    """How many places of folders are gone that were not known to be, and how many records were removed."""

    missing: int = 0
    removed: int = 0


def is_absent(source: str) -> bool:
    """Whether the file of a local place is not there; what lies on a network is never called absent."""
    archive, separator, _ = source.partition(SEPARATOR)
    path = archive if separator and is_archive(archive) else source
    if is_remote(path) or not os.path.isabs(path):  # noqa: PTH117 - a source is text
        return False
    try:
        os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):  # it may be there, but cannot be looked at
        return False
    return False


def located(record: ImageRecord) -> ImageRecord:
    """The record with those of its places marked as gone whose file is not on this machine."""
    absent = [source for source in record.sources if is_absent(source)]
    return record.replaced(gone=tuple(dict.fromkeys([*record.gone, *absent]))) if absent else record


def modified(record: ImageRecord) -> datetime | None:
    """When the oldest file of the record on this machine was changed last; None where there is none."""
    times = [time for source in record.present if (time := _modified(source)) is not None]
    return datetime.fromtimestamp(min(times), UTC) if times else None


def _modified(source: str) -> float | None:
    if is_remote(source) or not os.path.isabs(source):  # noqa: PTH117
        return None
    try:
        return os.stat(source).st_mtime  # noqa: PTH116
    except (OSError, ValueError):
        return None


def displace(index: Index, read: Mapping[tuple[str, str], str]) -> set[tuple[str, str]]:
    """Take places from the records of the bytes that they held before; the answer has those places.

    `read` has the SHA-256 of the bytes that were read, by collection and source. Records are looked up as of
    the last refresh, so those that have the bytes by now are left alone.
    """
    changed: set[tuple[str, str]] = set()
    for collection in {collection for collection, _ in read}:
        sources = tuple(source for within, source in read if within == collection)
        lost: dict[Key, set[str]] = {}
        for record in index.scan(Filter((collection,), {"source": sources})):
            for source in record.sources:
                if read.get((collection, source), record.sha256) != record.sha256:
                    lost.setdefault(record.key, set()).add(source)
        for key, known in index.known(lost).items():
            lost[key] = {source for source in lost[key] if read[collection, source] != known.sha256}
            changed.update((collection, source) for source in lost[key])
        index.mark_gone({key: places for key, places in lost.items() if places})
    return changed


def read_at_its_source(item: Item) -> bool:
    """Whether the bytes of an item were read at its source, and not only said to be from there."""
    return bool(item.source) and (item.data is None or SEPARATOR in item.source)


def sweep(index: Index, sources: Iterable[str], collection: str, *, prune: bool = False) -> Swept:
    """Look which places of the folders among the sources are gone, and mark them in their records.

    Records keep the places that they have left. With `prune` those that have none left are removed, also
    where that was noticed earlier.
    """
    return sweep_places(index, _folders(sources), collection, prune=prune)


def sweep_places(index: Index, places: Iterable[str], collection: str, *, prune: bool = False) -> Swept:
    """As `sweep`, for the places that begin with one of these texts: paths of files, or of folders."""
    missing = removed = 0
    for place in places:
        for records in _pages(index, Filter((collection,), under=place)):
            lost = {record.key: _absent(record, place) for record in records}
            missing += sum(map(len, lost.values()))
            nowhere = index.mark_gone({key: places for key, places in lost.items() if places})
            if prune:
                nowhere += [record.key for record in records if record.is_gone]
                removed += index.delete(nowhere)
        index.refresh()
    return Swept(missing, removed)


def mark_taken(index: Index, paths: Sequence[str]) -> None:
    """Mark in every record that these files are gone, which the caller has removed."""
    for start in range(0, len(paths), PAGE):
        some = frozenset(paths[start : start + PAGE])
        records = index.scan(Filter(terms={"source": tuple(some)}))
        index.mark_gone({record.key: some.intersection(record.sources) for record in records})
    index.refresh()


def mark_back(index: Index, paths: Iterable[str]) -> None:
    """Mark in every record that these files are there again, which the caller has moved back."""
    for path in paths:
        for record in list(index.scan(Filter(under=path))):
            if path in record.gone:
                index.amend(record.key, partial(_with_place, path=path))
    index.refresh()


def _with_place(record: ImageRecord, path: str) -> ImageRecord:
    return record.replaced(
        sources=tuple(dict.fromkeys([*record.sources, path])),
        gone=tuple(source for source in record.gone if source != path),
    )


def _folders(sources: Iterable[str]) -> list[str]:
    """What the places in the folders among these sources begin with."""
    local = (source.removeprefix("file://") for source in sources)
    folders = (os.path.abspath(source) for source in local if _is_folder(source))  # noqa: PTH100
    return [shown(folder).rstrip("/") + "/" for folder in folders]


def _is_folder(source: str) -> bool:
    try:
        return not is_remote(source) and Path(source).is_dir()
    except (OSError, ValueError):
        return False


def _pages(index: Index, filter: Filter) -> Iterable[Sequence[ImageRecord]]:
    cursor: str | None = None
    while True:
        page = index.page(filter, cursor=cursor, limit=PAGE)
        yield page.records
        if page.cursor is None:
            return
        cursor = page.cursor


def _absent(record: ImageRecord, place: str) -> set[str]:
    return {source for source in record.sources if source.startswith(place) and is_absent(source)}
