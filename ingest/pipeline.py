"""The one pipeline: read, describe, write. The command line and the queue's workers both run it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

from imaging.decode import Limits
from imaging.describe import describe_many
from imaging.errors import FacsimileError
from imaging.record import Description, ImageRecord, Key
from ingest.item import Item, Outcome
from ingest.loading import Loader
from ingest.places import is_remote
from search.index.base import Index, Known, Status, Written
from search.query import Filter

#: records asked for per source when the index is asked which sources it holds; one source may have had
#: several contents, and what does not fit is only fetched once more
RECORDS_PER_SOURCE = 4


@dataclass(slots=True)
class Timings:
    """Seconds spent in each stage."""

    load: float = 0.0
    describe: float = 0.0
    write: float = 0.0

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Add what the block takes to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            setattr(self, stage, getattr(self, stage) + time.perf_counter() - start)

    def add(self, other: Timings) -> None:
        """Add another's seconds."""
        self.load += other.load
        self.describe += other.describe
        self.write += other.write


def process(
    items: Sequence[Item],
    *,
    index: Index,
    loader: Loader,
    limits: Limits,
    recheck: bool = False,
    timings: Timings | None = None,
) -> list[Outcome]:
    """Bring some 32 to 64 items into the index; the answer has one outcome for each, in their order.

    Bytes that are stored already under the same key are not decoded again; a remote source that the index
    holds is not even fetched, unless `recheck`. One bad item never ends the others. Raises only StoreError,
    when the index as a whole fails; then every item may be brought in again.
    """
    timings = timings or Timings()
    with timings.of("write"):
        keys = {} if recheck else _held(items, index)
    with timings.of("load"):
        waiting = [position for position in range(len(items)) if position not in keys]
        answers = loader.load([items[position] for position in waiting])
    outcomes: dict[int, Outcome] = {}
    loaded: dict[int, bytes] = {}
    digests: dict[int, str] = {}
    for position, data in zip(waiting, answers, strict=True):
        if isinstance(data, FacsimileError):
            outcomes[position] = Outcome.failed(items[position], data)
        else:
            loaded[position] = data
            digests[position] = sha256(data).hexdigest()
            keys[position] = Key(items[position].collection, items[position].id or digests[position])

    with timings.of("write"):
        known = index.known(set(keys.values()))
    same = {
        position: known[key]
        for position, key in keys.items()
        if key in known and digests.get(position, known[key].sha256) == known[key].sha256
    }
    telling = [position for position, stored in same.items() if _tells_more(items[position], stored)]
    for position in same.keys() - set(telling):
        outcomes[position] = Outcome(items[position].without_data(), Status.UNCHANGED)
    with timings.of("write"):
        stored_records = index.get({keys[position] for position in telling}) if telling else {}
    records: dict[int, ImageRecord] = {}
    for position in telling:
        if keys[position] in stored_records:
            records[position] = _retold(stored_records[keys[position]], items[position])

    # a record that was removed since we asked is described like a new one, if we have its bytes
    new = [position for position in loaded if position not in outcomes and position not in records]
    with timings.of("describe"):
        described = describe_many([loaded[position] for position in new], limits=limits)
    for position, description in zip(new, described, strict=True):
        if isinstance(description, FacsimileError):
            outcomes[position] = Outcome.failed(items[position], description)
        else:
            records[position] = _record(items[position], description)

    order = sorted(records)
    with timings.of("write"):
        written = index.put([records[position] for position in order]) if order else []
    for position, result in zip(order, written, strict=True):
        outcomes[position] = _outcome(items[position], result)
    vanished = Written(Status.FAILED, "another writer removed this record at the same time", True)
    return [outcomes.get(position) or _outcome(item, vanished) for position, item in enumerate(items)]


def _held(items: Sequence[Item], index: Index) -> dict[int, Key]:
    """The keys of remote items whose source the index holds already."""
    remote = [
        (position, item)
        for position, item in enumerate(items)
        if item.data is None and is_remote(item.source)
    ]
    held: dict[tuple[str, str], list[Key]] = {}
    for collection in {item.collection for _, item in remote}:
        sources = tuple({item.source for _, item in remote if item.collection == collection})
        found = Filter(collections=(collection,), terms={"source": sources})
        page = index.page(found, cursor=None, limit=RECORDS_PER_SOURCE * len(sources))
        for record in page.records:
            for source in record.sources:
                held.setdefault((collection, source), []).append(record.key)
    keys: dict[int, Key] = {}
    for position, item in remote:
        for key in held.get((item.collection, item.source), ()):
            if item.id in (None, key.id):
                keys[position] = key
    return keys


def _tells_more(item: Item, stored: Known) -> bool:
    """Whether the item brings a source or words that the index does not hold for these bytes."""
    return (
        item.source not in stored.sources
        or item.title not in ("", stored.title)
        or item.tags not in ((), stored.tags)
        or dict(item.metadata) not in ({}, dict(stored.metadata))
    )


def _retold(record: ImageRecord, item: Item) -> ImageRecord:
    """The stored record with the item's source and words; `Index.put` keeps what the item is silent about."""
    return record.replaced(sources=(item.source,), title=item.title, tags=item.tags, metadata=item.metadata)


def _record(item: Item, description: Description) -> ImageRecord:
    return ImageRecord.of(
        description,
        id=item.id,
        collection=item.collection,
        source=item.source,
        title=item.title,
        tags=item.tags,
        metadata=item.metadata,
    )


def _outcome(item: Item, written: Written) -> Outcome:
    error = "StoreError" if written.status is Status.FAILED else ""
    return Outcome(item.without_data(), written.status, written.reason, error, written.transient)
