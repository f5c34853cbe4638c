"""What an index is. Policy lives here once; an index fills in what is abstract."""

from __future__ import annotations

import dataclasses
import enum
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import ImageRecord, Key, WebPage, joined_pages
from facsimile.search.errors import IndexUnavailable, InvalidRequest
from facsimile.search.index import amending
from facsimile.search.index.conflicts import retry_conflicts
from facsimile.search.index.state.base import State
from facsimile.search.index.validation import fault_of
from facsimile.search.query import Filter, IndexQuery, ListingPage
from facsimile.search.secrets import without_url_secrets

#: records per page of `scan`
SCAN_PAGE = 500

#: what gives records other signatures (hashes, quality, digest of the pixels, vector) while an index is built
#: anew: as many as it is given, in their order, under the same keys
RecordTransform = Callable[[Sequence[ImageRecord]], Sequence[ImageRecord]]

#: receives how many of how many records are done
Progress = Callable[[int, int], None]


class Status(enum.StrEnum):
    """The outcome of writing one record."""

    ADDED = "added"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome of writing one record.

    `error_type` is the class of the error that ended it, `reason` its sentence.
    """

    status: Status
    reason: str = ""
    error_type: type[FacsimileError] | None = None

    @property
    def transient(self) -> bool:
        """Whether the same write may succeed later."""
        return self.error_type is not None and self.error_type.transient

    @classmethod
    def failed(cls, error: FacsimileError) -> Self:
        """The outcome of a record that an error ended."""
        return cls(Status.FAILED, str(error), type(error))


@dataclass(frozen=True, slots=True)
class Known:
    """What an index already holds under a key: enough to see whether a write would change anything.

    `version` is the index's own token: a write that carries it succeeds only while the stored record is
    still that one.
    """

    sha256: str
    sources: tuple[str, ...]
    gone: tuple[str, ...]
    title: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any]
    pages: tuple[WebPage, ...]
    added_at: datetime
    version: Any

    @classmethod
    def of(cls, record: ImageRecord) -> Self:
        """What a record will be known by once it is written; it has no version yet."""
        return cls(
            sha256=record.sha256,
            sources=record.sources,
            gone=record.gone,
            title=record.title,
            tags=record.tags,
            metadata=record.metadata,
            pages=record.pages,
            added_at=record.added_at,
            version=None,
        )


@dataclass(frozen=True, slots=True)
class Signatures:
    """Names and versions of what an index stores; a query made with others cannot be compared.

    `model` is empty and `dims` 0 where an index keeps hashes alone.
    """

    hash: str
    model: str = ""
    dims: int = 0

    def __str__(self) -> str:
        model = f"{self.model} ({self.dims} dimensions)" if self.dims else "no model"
        return f"hash {self.hash} and {model}"


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexInfo:
    """What `index info` and `status` show."""

    location: str
    kind: str
    physical: str
    layout: int
    signatures: Signatures
    count: int
    bytes: int
    collections: Mapping[str, int]
    healthy: bool
    note: str = ""

    def as_json(self) -> dict[str, Any]:
        """The description as services read it."""
        return {
            "location": self.location,
            "kind": self.kind,
            "physical": self.physical,
            "layout": self.layout,
            "hash": self.signatures.hash,
            "model": self.signatures.model or None,
            "count": self.count,
            "bytes": self.bytes,
            "collections": dict(self.collections),
            "healthy": self.healthy,
            "note": self.note,
        }


class Index(ABC):
    """Where records are kept and asked for.

    A written record can be read by `get` at once and, in the same process, is found by `ask`, `count` and
    `scan` after `refresh()`; without it, within a second. Every method raises the errors of
    `facsimile.search.errors` and no other library's.
    """

    location: str
    signatures: Signatures

    #: small documents beside the records; it is closed and destroyed with the index
    state: State

    # -- writing -------------------------------------------------------------------------------------------

    def put(self, records: Sequence[ImageRecord]) -> list[Written]:
        """Write records; the answer has one outcome for each, in their order.

        The same bytes under the same key are `unchanged`, unless they bring a new source or page (added to
        the others) or other words (title, tags, metadata: the new ones count, silence keeps the old). Other
        bytes replace the record. Records of one key are merged in their order and written once; each has the
        outcome that it would have had alone. Safe against other writers. A record that no index takes (see
        `facsimile.search.index.validation`) is `failed` with the reason; the others are written. Passwords
        and signatures in sources are not stored.
        """
        records = [_public(record) for record in records]
        outcomes: dict[int, Written] = {}
        keyed: dict[Key, list[int]] = {}
        for position, record in enumerate(records):
            if fault := fault_of(record, self.signatures.dims):
                outcomes[position] = Written.failed(InvalidRequest(fault))
            else:
                keyed.setdefault(record.key, []).append(position)
        waiting = retry_conflicts(lambda some: self._put_once(records, some, outcomes), keyed)
        conflict = Written.failed(IndexUnavailable("another writer kept changing this record"))
        outcomes |= {position: conflict for positions in waiting.values() for position in positions}
        return [outcomes[position] for position in range(len(records))]

    def _put_once(
        self, records: Sequence[ImageRecord], waiting: Mapping[Key, list[int]], outcomes: dict[int, Written]
    ) -> dict[Key, list[int]]:
        """Try the waiting keys once; the answer has those that another writer changed in between."""
        known = self.known(waiting)
        writes: list[tuple[ImageRecord, Known | None]] = []
        written: list[list[int]] = []
        for key, positions in waiting.items():
            before = known.get(key)
            after, statuses = merged_all([records[position] for position in positions], before)
            outcomes |= {
                position: Written(status) for position, status in zip(positions, statuses, strict=True)
            }
            if after is not None:
                writes.append((after, before))
                written.append(positions)
        again: dict[Key, list[int]] = {}
        done = self._write(writes) if writes else []
        for (record, _), positions, outcome in zip(writes, written, done, strict=True):
            if outcome is None:
                again[record.key] = positions
            elif outcome.status is Status.FAILED:
                outcomes |= dict.fromkeys(positions, outcome)
        return again

    @abstractmethod
    def known(self, keys: Iterable[Key]) -> dict[Key, Known]:
        """What is stored under these keys, as of now (not as of the last refresh)."""

    @abstractmethod
    def _write(self, writes: Sequence[tuple[ImageRecord, Known | None]]) -> list[Written | None]:
        """Write each record if what is stored is still the `Known` beside it (None: nothing).

        None in the answer means that another writer came first. A record that replaces one keeps the
        `added_at` it carries. Items that the service was too busy for are tried again here, others are not.
        """

    def mark_gone(self, places: Mapping[Key, Collection[str]]) -> list[Key]:
        """Note that these records are no longer at these places; the answer has those with no place left.

        Places that a record does not have are ignored, and so are records that do not exist.
        """
        return amending.mark_gone(self, self._write, places)

    def amend(self, key: Key, change: Callable[[ImageRecord], ImageRecord]) -> ImageRecord:
        """Change the descriptive fields of a stored image (title, tags, metadata, sources), and return it.

        `change` is called again where another writer came first. Raises RecordNotFound, and InvalidRequest
        where no index takes the changed record.
        """
        return amending.amend(
            self, self._write, self.signatures.dims, key, lambda record: _public(change(record))
        )

    @abstractmethod
    def delete(self, keys: Iterable[Key]) -> int:
        """Delete these records; returns how many existed."""

    def delete_where(self, filter: Filter) -> int:
        """Delete all records that pass the filter; an empty filter is refused."""
        if filter.is_empty:
            raise InvalidRequest("refusing to delete without a filter: name a collection or ids")
        deleted = 0
        self.refresh()
        for page in self._pages(filter):
            deleted += self.delete([record.key for record in page.records])
        self.refresh()
        return deleted

    # -- reading -------------------------------------------------------------------------------------------

    @abstractmethod
    def get(self, keys: Iterable[Key], *, full: bool = True) -> dict[Key, ImageRecord]:
        """The records under these keys, as of now; `full` brings thumbnail and vector as well."""

    @abstractmethod
    def keys_of(self, id: str, collections: Sequence[str] = ()) -> list[Key]:
        """The keys with this id, over all or the given collections."""

    @abstractmethod
    def count(self, filter: Filter | None = None) -> int:
        """How many records there are, as of the last refresh."""

    @abstractmethod
    def collections(self) -> dict[str, int]:
        """Each collection with its number of records, as of the last refresh."""

    @abstractmethod
    def ask(self, questions: Sequence[IndexQuery]) -> list[list[ImageRecord]]:
        """For each question its candidates, in no promised order, without thumbnails.

        A candidate is a record whose `bits` or `bits_trimmed` lie within the radius of a variant, among the
        `limit` nearest at least, or one of whose `panels` does, if the variant asks for those, again among
        the `limit` nearest. An index may leave out records that share no term with the variant; it
        never leaves out others. Blank pictures (`quality` 0) are no candidates by hash. Where the question
        has a vector, the `nearest` records by cosine are candidates too (an approximate graph may miss
        some), and every candidate carries its vector. All records with one of its digests are candidates.
        """

    @abstractmethod
    def ask_words(self, words: str, limit: int, filter: Filter) -> list[ImageRecord]:
        """The records whose title or tags hold any of the words, best first (BM25)."""

    @abstractmethod
    def ask_bytes(self, digests: Sequence[str], filter: Filter) -> dict[str, list[ImageRecord]]:
        """For each SHA-256 (of bytes or of pixels) the records that have it."""

    def scan(self, filter: Filter | None = None, *, full: bool = False) -> Iterator[ImageRecord]:
        """Every record, ordered by key, in pages; records written meanwhile may or may not come."""
        for page in self._pages(filter or Filter(), full=full):
            yield from page.records

    def _pages(self, filter: Filter, *, full: bool = False) -> Iterator[ListingPage]:
        cursor: str | None = None
        while True:
            page = self.page(filter, cursor=cursor, limit=SCAN_PAGE, full=full)
            if page.records:
                yield page
            if page.cursor is None:
                return
            cursor = page.cursor

    @abstractmethod
    def page(self, filter: Filter, *, cursor: str | None, limit: int, full: bool = False) -> ListingPage:
        """The next records after the cursor, ordered by key; the cursor survives writes and restarts."""

    # -- life ----------------------------------------------------------------------------------------------

    @abstractmethod
    def refresh(self) -> None:
        """Make every write that has returned visible to `ask`, `count`, `scan`."""

    @abstractmethod
    def optimize(self, progress: Progress | None = None) -> tuple[int, int]:
        """Merge the segments that many writes have left, for a search to look into fewer of them.

        The answer is their number before and after. Reads and writes go on meanwhile. `progress` receives how
        many of how many were merged away.
        """

    @abstractmethod
    def info(self) -> IndexInfo:
        """Versions, counts, bytes and health."""

    @abstractmethod
    def destroy(self) -> None:
        """Remove the index with all its records, and close it."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def merged_all(
    records: Sequence[ImageRecord], before: Known | None
) -> tuple[ImageRecord | None, list[Status]]:
    """What to write so that all of these records of one key count, in their order, and what each comes to.

    None where nothing would change.
    """
    write: ImageRecord | None = None
    statuses: list[Status] = []
    for record in records:
        after = merged(record, before)
        if after is None:
            statuses.append(Status.UNCHANGED)
            continue
        statuses.append(Status.ADDED if before is None else Status.UPDATED)
        write, before = after, Known.of(after)
    return write, statuses


def merged(record: ImageRecord, before: Known | None) -> ImageRecord | None:
    """What to write so that nothing known is lost, or None where the write would change nothing."""
    if before is None or before.sha256 != record.sha256:
        return record
    sources = dict.fromkeys(before.sources + record.sources)
    after = record.replaced(
        sources=tuple(sources),
        gone=tuple(place for place in dict.fromkeys(before.gone + record.gone) if place not in sources),
        title=record.title or before.title,
        tags=record.tags or before.tags,
        metadata=record.metadata or before.metadata,
        pages=joined_pages(before.pages + record.pages),
        added_at=before.added_at,
    )
    same = (after.sources, after.gone, after.title, after.tags, after.pages) == (
        *(before.sources, before.gone, before.title, before.tags, before.pages),
    )
    return None if same and dict(after.metadata) == dict(before.metadata) else after


def _public(record: ImageRecord) -> ImageRecord:
    """The record with its sources and pages as they may be shown."""
    sources = tuple(dict.fromkeys(map(without_url_secrets, record.sources)))
    pages = joined_pages(
        dataclasses.replace(page, url=without_url_secrets(page.url)) for page in record.pages
    )
    same = (sources, pages) == (record.sources, record.pages)
    return record if same else record.replaced(sources=sources, pages=pages)
