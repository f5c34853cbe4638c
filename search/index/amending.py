"""Changes to stored records that keep their signatures, safe against other writers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Protocol, TypeVar

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import IndexUnavailable, InvalidRequest, RecordNotFound
from facsimile.search.index.conflicts import retry_conflicts
from facsimile.search.index.validation import fault_of

#: what is known of a stored record, so that a write notices another writer
KnownT = TypeVar("KnownT")


class StoredRecords(Protocol[KnownT]):
    """The methods of `facsimile.search.index.base.Index` that are needed here."""

    def known(self, keys: Iterable[Key], /) -> dict[Key, KnownT]: ...
    def get(self, keys: Iterable[Key], /) -> dict[Key, ImageRecord]: ...


class WriteOutcome(Protocol):
    """What became of one write."""

    @property
    def status(self) -> str: ...
    @property
    def reason(self) -> str: ...


#: writes each record if what is stored is still what was known; None where another writer came first
Write = Callable[[Sequence[tuple[ImageRecord, KnownT | None]]], Sequence[WriteOutcome | None]]


def amend(
    index: StoredRecords[KnownT],
    write: Write[KnownT],
    dims: int,
    key: Key,
    change: Callable[[ImageRecord], ImageRecord],
) -> ImageRecord:
    """As `Index.amend` describes."""
    amended: list[ImageRecord] = []

    def attempt(waiting: Mapping[Key, None]) -> dict[Key, None]:
        known = index.known(waiting).get(key)  # before the record, so that a write in between is a conflict
        record = index.get([key]).get(key)
        if record is None or known is None:
            raise RecordNotFound(f"there is no record with the id {key.id}")
        after = change(record)
        if fault := fault_of(after, dims):
            raise InvalidRequest(fault)
        (outcome,) = write([(after, known)])
        if outcome is None:
            return dict(waiting)
        _check(after, outcome)
        amended.append(after)
        return {}

    _check_done(list(retry_conflicts(attempt, {key: None})))
    return amended[0]


def mark_gone(
    index: StoredRecords[KnownT], write: Write[KnownT], places: Mapping[Key, Collection[str]]
) -> list[Key]:
    """As `Index.mark_gone` describes."""
    nowhere: list[Key] = []

    def attempt(waiting: Mapping[Key, Collection[str]]) -> dict[Key, Collection[str]]:
        known = index.known(waiting)  # before the records, so that a write in between is a conflict
        writes: list[tuple[ImageRecord, KnownT | None]] = []
        for key, record in index.get(waiting).items():
            left = tuple(source for source in record.sources if source not in waiting[key])
            lost = tuple(source for source in record.sources if source in waiting[key])
            if lost and key in known:
                after = record.replaced(sources=left, gone=tuple(dict.fromkeys(record.gone + lost)))
                writes.append((after, known[key]))
        again: dict[Key, Collection[str]] = {}
        done = write(writes) if writes else []
        for (record, _), outcome in zip(writes, done, strict=True):
            if outcome is None:
                again[record.key] = waiting[record.key]
                continue
            _check(record, outcome)
            if record.is_gone:
                nowhere.append(record.key)
        return again

    _check_done(list(retry_conflicts(attempt, places)))
    return nowhere


def _check(record: ImageRecord, outcome: WriteOutcome) -> None:
    if outcome.status == "failed":
        raise IndexUnavailable(f"the record {record.id} could not be written: {outcome.reason}")


def _check_done(waiting: Sequence[Key]) -> None:
    if waiting:
        raise IndexUnavailable(f"another writer kept changing the record {waiting[0].id}")
