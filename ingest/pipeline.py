"""The one pipeline: read, describe, write. The command line and the queue's workers both run it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from facsimile.imaging import timings as describing
from facsimile.imaging.decode import Limits
from facsimile.imaging.describe import describe_many
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description, ImageRecord, Key, joined_pages
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.open_source import is_remote
from facsimile.ingest.presence import displace, read_at_its_source
from facsimile.search.errors import IndexUnavailable, InvalidRequest
from facsimile.search.index.base import Index, Known, Status, Written
from facsimile.search.query import Filter

#: records asked for per source when the index is asked which sources it holds; one source may have had
#: several contents, and what does not fit is only fetched once more
RECORDS_PER_SOURCE = 4


#: the signatures of images, errors in the places of those that cannot be read
Describe = Callable[[Sequence[bytes]], Sequence[Description | FacsimileError]]


@dataclass(slots=True)
class StageTimings(describing.Timings):
    """Seconds spent in each stage."""

    load: float = 0.0
    write: float = 0.0


def process(
    items: Sequence[Item],
    *,
    index: Index,
    loader: Loader,
    limits: Limits,
    model: Model | None = None,
    recheck: bool = False,
    timings: StageTimings | None = None,
    describe: Describe | None = None,
) -> list[Outcome]:
    """Bring some 32 to 64 items into the index; the answer has one outcome for each, in their order.

    `model` is the one that made the vectors of the index, None where it keeps none. `describe` takes
    the place of `describe_many` with these limits and this model, for callers that read images elsewhere.
    Bytes that are stored already under the same key are not decoded again; a remote source that the index
    holds is not even fetched, unless `recheck`. One bad item never ends the others. Raises only StoreError,
    when the index as a whole fails; then every item may be brought in again.
    """
    timings = timings or StageTimings()

    def describe_here(datas: Sequence[bytes]) -> Sequence[Description | FacsimileError]:
        return describe_many(datas, limits=limits, model=model, timings=timings)

    chunk = _Chunk(items, index, loader, describe or describe_here, timings)
    chunk.find_invalid()
    if not recheck:
        chunk.find_held()
    chunk.load()
    chunk.find_unchanged()
    chunk.describe()
    chunk.write()
    chunk.note_changed()
    return chunk.outcomes()


class _Chunk:
    """Items on their way through the stages; every mapping is by position among the items."""

    def __init__(
        self,
        items: Sequence[Item],
        index: Index,
        loader: Loader,
        describe: Describe,
        timings: StageTimings,
    ) -> None:
        self._items = items
        self._index = index
        self._loader = loader
        self._describe = describe
        self._timings = timings
        self._keys: dict[int, Key] = {}
        self._loaded: dict[int, bytes] = {}
        self._digests: dict[int, str] = {}
        self._records: dict[int, ImageRecord] = {}
        self._outcomes: dict[int, Outcome] = {}
        self._changed: set[tuple[str, str]] = set()

    def find_invalid(self) -> None:
        """End items that no index takes, before anything is read."""
        for position, item in enumerate(self._items):
            if fault := next(item.faults(), ""):
                self._outcomes[position] = Outcome.failed(item, InvalidRequest(fault))

    def find_held(self) -> None:
        """Give remote items whose source is stored the key of their record."""
        with self._timings.of("write"):
            valid = [each for each in enumerate(self._items) if each[0] not in self._outcomes]
            self._keys = _held(valid, self._index)

    def load(self) -> None:
        """Read the bytes of all others."""
        ended = self._keys.keys() | self._outcomes.keys()
        positions = [position for position in range(len(self._items)) if position not in ended]
        with self._timings.of("load"):
            answers = self._loader.load([self._items[position] for position in positions])
        for position, data in zip(positions, answers, strict=True):
            item = self._items[position]
            if isinstance(data, FacsimileError):
                self._outcomes[position] = Outcome.failed(item, data)
                continue
            digest = sha256(data).hexdigest()
            self._loaded[position] = data
            self._digests[position] = digest
            self._keys[position] = Key(item.collection, item.id or digest)

    def find_unchanged(self) -> None:
        """Of the bytes that are stored already, take the record where the item says something new."""
        telling: dict[int, Key] = {}
        with self._timings.of("write"):
            known = self._index.known(set(self._keys.values()))
        for position, key in self._keys.items():
            stored = known.get(key)
            if stored is None or self._digests.get(position, stored.sha256) != stored.sha256:
                continue
            if _tells_more(self._items[position], stored):
                telling[position] = key
            else:
                item = self._items[position].without_data()
                self._outcomes[position] = Outcome(item, Status.UNCHANGED)
        if telling:
            with self._timings.of("write"):
                records = self._index.get(set(telling.values()))
            for position, key in telling.items():
                if key in records:
                    self._records[position] = _retold(records[key], self._items[position])

    def describe(self) -> None:
        """Make the records of all bytes that came to no end yet; the same bytes are described once."""
        new: dict[str, list[int]] = {}
        for position in self._loaded:
            if position not in self._outcomes and position not in self._records:
                new.setdefault(self._digests[position], []).append(position)
        described = self._describe([self._loaded[positions[0]] for positions in new.values()])
        for positions, description in zip(new.values(), described, strict=True):
            for position in positions:
                item = self._items[position]
                if isinstance(description, FacsimileError):
                    self._outcomes[position] = Outcome.failed(item, description)
                else:
                    self._records[position] = _record(item, description)

    def write(self) -> None:
        """Put the records, in the order of the items."""
        positions = sorted(self._records)
        with self._timings.of("write"):
            written = self._index.put([self._records[position] for position in positions])
        for position, result in zip(positions, written, strict=True):
            self._outcomes[position] = _outcome(self._items[position], result)

    def note_changed(self) -> None:
        """Take the places that hold other bytes now from the records that had them."""
        items = [(self._items[position], digest) for position, digest in self._digests.items()]
        with self._timings.of("write"):
            self._changed = displace(
                self._index,
                {(item.collection, item.place): digest for item, digest in items if read_at_its_source(item)},
            )

    def outcomes(self) -> list[Outcome]:
        """One for each item. A held record that is gone by now, its bytes not at hand, may be tried again."""
        gone = Written.failed(IndexUnavailable("another writer removed this record at the same time"))
        found = [
            self._outcomes.get(position) or _outcome(item, gone) for position, item in enumerate(self._items)
        ]
        return [
            dataclasses.replace(each, changed=True) if self._is_changed(each.item) else each for each in found
        ]

    def _is_changed(self, item: Item) -> bool:
        """Whether the place of an item held other bytes before; told of one item for each place."""
        place = (item.collection, item.place)
        if place not in self._changed:
            return False
        self._changed.remove(place)
        return True


def _held(items: Sequence[tuple[int, Item]], index: Index) -> dict[int, Key]:
    """The keys of remote items whose source the index holds already, by their positions."""
    remote = [(position, item) for position, item in items if item.data is None and is_remote(item.stored_at)]
    held: dict[tuple[str, str], list[Key]] = {}
    for collection in {item.collection for _, item in remote}:
        sources = tuple({item.place for _, item in remote if item.collection == collection})
        found = Filter(collections=(collection,), terms={"source": sources})
        page = index.page(found, cursor=None, limit=RECORDS_PER_SOURCE * len(sources))
        for record in page.records:
            for source in record.sources:
                held.setdefault((collection, source), []).append(record.key)
    keys: dict[int, Key] = {}
    for position, item in remote:
        for key in held.get((item.collection, item.place), ()):
            if item.id in (None, key.id):
                keys[position] = key
    return keys


def _tells_more(item: Item, stored: Known) -> bool:
    """Whether the item brings a source or words that the index does not hold for these bytes."""
    return (
        item.place not in ("", *stored.sources)
        or item.title not in ("", stored.title)
        or item.tags not in ((), stored.tags)
        or dict(item.metadata) not in ({}, dict(stored.metadata))
        or joined_pages(stored.pages + item.pages) != stored.pages
    )


def _retold(record: ImageRecord, item: Item) -> ImageRecord:
    """The stored record with the item's source and words; `Index.put` keeps what the item is silent about."""
    sources = (item.source,) if item.source else ()
    return record.replaced(
        sources=sources, title=item.title, tags=item.tags, metadata=item.metadata, pages=item.pages
    )


def _record(item: Item, description: Description) -> ImageRecord:
    return ImageRecord.of(
        description,
        id=item.id,
        collection=item.collection,
        source=item.source,
        title=item.title,
        tags=item.tags,
        metadata=item.metadata,
        pages=item.pages,
    )


def _outcome(item: Item, written: Written) -> Outcome:
    return Outcome(item.without_data(), written.status, written.reason, written.error_type)
