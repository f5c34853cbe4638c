"""Chunks in the ledger, an outbox: each is recorded before it is published, and finished by a versioned
write.

The broker may lose a message or deliver it twice. The entry in the index's state decides: a worker holds the
lease of its chunk, and finishes it by writing its counts with the version of that lease, so that they count
once. A message carries the id of a chunk and nothing else.
"""

from __future__ import annotations

import dataclasses
import enum
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import orjson

from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.message import format_item, item_of
from facsimile.search.index.base import Status
from facsimile.search.index.state.base import Entry, Ref, State
from facsimile.search.retry import Backoff
from facsimile.workers.errors import WorkerDied
from facsimile.workers.ledger.dead_letters import letter_of
from facsimile.workers.ledger.kinds import CHUNK, JOB

#: seconds that a lease holds without being renewed: after that its worker counts as dead. A chunk that was
#: published this long ago without being claimed may have been lost by the broker.
LEASE = 30.0

#: how often an item may kill its worker, and how often a transient failure is tried
DEATHS = 3
TRIES = 5

#: pause before the second try of an item in seconds; each later pause is three times as long
BACKOFF = Backoff(first=10.0, factor=3.0, jitter=(0.5, 1.5))

#: parts into which a chunk is split that killed its worker: most workers die of something else
PARTS = 8

#: what is counted of each chunk
COUNTS = ("accepted", "added", "updated", "unchanged", "cancelled")


class ChunkState(enum.StrEnum):
    """The state of a chunk: a `delayed` one is published when it is due."""

    QUEUED = "queued"
    RUNNING = "running"
    DELAYED = "delayed"
    DONE = "done"


class QueueName(enum.StrEnum):
    """The queues: interactive requests, bulk chunks that compute, bulk chunks that fetch, maintenance."""

    LIVE = "facsimile.live"
    COMPUTE = "facsimile.compute"
    FETCH = "facsimile.fetch"
    MAINTENANCE = "facsimile.maintenance"


class ChunkKind(enum.StrEnum):
    """What is done with the items of a chunk: ingest them; compare stored suspects of a scan with all its
    works; look stored works up among all its suspects."""

    INGEST = "ingest"
    SUSPECTS = "suspects"
    WORKS = "works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some items of one job that are processed together.

    `accepted` is how many items it adds to its job: 0 where it only repeats items of another chunk.
    `trusted` items may name local files; others only web addresses. `tries` counts from 1. Stored items are
    named by collection and id.
    """

    id: str
    job: str
    items: tuple[Item, ...]
    kind: ChunkKind = ChunkKind.INGEST
    queue: QueueName = QueueName.COMPUTE
    accepted: int = 0
    trusted: bool = False
    recheck: bool = False
    tries: int = 1


@dataclass(slots=True)
class ChunkLease:
    """The lease of a chunk that this process holds. `deaths` counts earlier leases that never finished."""

    chunk: Chunk
    entry: Entry
    deaths: int


@dataclass(frozen=True, slots=True)
class ChunkMessage:
    """The message to publish for a chunk: its id, and the name of its queue."""

    id: str
    queue: str


class Chunks:
    """The chunks in the state of an index."""

    def __init__(self, state: State, lease: float = LEASE) -> None:
        self.state = state
        self._lease = lease

    # -- before processing ---------------------------------------------------------------------------------

    def record(self, chunks: Sequence[Chunk]) -> list[ChunkMessage]:
        """Record chunks; returns the new ones, to be published. Others were recorded before."""
        written = self.state.put([entry_of(chunk, due=self._due()) for chunk in chunks])
        return [_published(entry) for entry in written if entry]

    def claim(self, id: str, holder: str) -> ChunkLease | list[ChunkMessage]:
        """Take the lease of a chunk; returns it, or the chunks to publish instead (mostly none).

        None where the chunk is done, unknown, cancelled or leased elsewhere. A chunk that has killed a worker
        is split; an item that has killed `DEATHS` workers becomes a dead letter.
        """
        job = Ref(JOB, job_of(id))
        stored = self.state.get([Ref(CHUNK, id), job])
        entry = stored.get(Ref(CHUNK, id))
        if entry is None or entry.term("state") == ChunkState.DONE:
            return []
        if entry.term("state") == ChunkState.RUNNING and entry.number("due") > now():
            return []
        chunk = chunk_of(entry)
        if job in stored and stored[job].term("state") == "cancelled":
            self._done(entry, {"cancelled": len(chunk.items)})
            return []
        deaths = entry.number("deaths")
        if deaths and len(chunk.items) > 1:
            return self._split(chunk, entry)
        if deaths >= DEATHS:
            self._bury(chunk, entry)
            return []
        numbers = {**entry.numbers, "deaths": deaths + 1, "due": self._due()}
        terms = {**entry.terms, "state": (ChunkState.RUNNING.value,), "holder": (holder,)}
        (claimed,) = self.state.put([entry.replaced(terms=terms, numbers=numbers)])
        return ChunkLease(chunk, claimed, deaths) if claimed else []

    def _split(self, chunk: Chunk, entry: Entry) -> list[ChunkMessage]:
        size = -(-len(chunk.items) // PARTS)
        parts = [
            dataclasses.replace(
                chunk, id=f"{chunk.id}.{start}", items=chunk.items[start : start + size], accepted=0
            )
            for start in range(0, len(chunk.items), size)
        ]
        published = self.record(parts)
        self._done(entry, {})
        return published

    def _bury(self, chunk: Chunk, entry: Entry) -> None:
        reason = f"reading it killed its worker {DEATHS} times"
        failed = [Outcome(item, Status.FAILED, reason, WorkerDied) for item in chunk.items]
        self._done(entry, {}, letters_of(chunk, enumerate(failed)))

    # -- during processing ---------------------------------------------------------------------------------

    def renew(self, claim: ChunkLease) -> bool:
        """Renew the lease; False where another worker has it by now."""
        numbers = {**claim.entry.numbers, "due": self._due()}
        (entry,) = self.state.put([claim.entry.replaced(numbers=numbers)])
        if entry:
            claim.entry = entry
        return entry is not None

    def reclaim(self, id: str, holder: str) -> list[ChunkMessage]:
        """Take a chunk back from a worker that is known to be dead; returns the chunks to publish."""
        entry = self.state.get([Ref(CHUNK, id)]).get(Ref(CHUNK, id))
        if entry is None or entry.term("state") != ChunkState.RUNNING or entry.term("holder") != holder:
            return []
        return self.requeue([entry])

    def release(self, claim: ChunkLease) -> list[ChunkMessage]:
        """Give a chunk back unfinished, without counting a death against it."""
        numbers = {**claim.entry.numbers, "deaths": claim.deaths}
        return self.requeue([claim.entry.replaced(numbers=numbers)])

    def requeue(self, entries: Sequence[Entry]) -> list[ChunkMessage]:
        """Queue chunks (again), as of now; those that other processes changed meanwhile are left."""
        waiting = [
            entry.replaced(
                terms={**entry.terms, "state": (ChunkState.QUEUED.value,), "holder": ()},
                numbers={**entry.numbers, "due": self._due()},
            )
            for entry in entries
        ]
        return [_published(entry) for entry in self.state.put(waiting) if entry]

    # -- after processing ----------------------------------------------------------------------------------

    def finish(self, claim: ChunkLease, outcomes: Sequence[Outcome]) -> bool:
        """Record the outcomes; False where another worker has taken the chunk over, and they do not count.

        Transient failures are tried again after a pause, other failures become dead letters.
        """
        chunk = claim.chunk
        failed = [
            (place, each)
            for place, each in enumerate(outcomes)
            if each.status is Status.FAILED and not (each.transient and chunk.tries < TRIES)
        ]
        again = [
            item
            for item, each in zip(chunk.items, outcomes, strict=True)
            if each.status is Status.FAILED and each.transient and chunk.tries < TRIES
        ]
        counts = {
            status.value: sum(each.status is status for each in outcomes)
            for status in (Status.ADDED, Status.UPDATED, Status.UNCHANGED)
        }
        after = letters_of(chunk, failed)
        if again:
            after.append(_later(chunk, again))
        return self._done(claim.entry, counts, after)

    def settle(self, entries: Iterable[Entry]) -> None:
        """Write the entries that finished chunks left to be written. Idempotent."""
        for entry in entries:
            self.state.put([Entry.from_json(each) for each in entry.body["after"]])
            terms = {name: values for name, values in entry.terms.items() if name != "unsettled"}
            self.state.put([entry.replaced(terms=terms, body={"digest": entry.body["digest"]})])

    def _due(self) -> int:
        return now() + _ms(self._lease)

    def _done(self, entry: Entry, counts: dict[str, int], after: Sequence[Entry] = ()) -> bool:
        """Mark a chunk as done in one write, with its counts and the entries that follow from it: of two
        workers on one chunk only the first succeeds. Then write those entries; a sweep does it otherwise.
        """
        (written,) = self.state.put([done(entry, counts, after)])
        if written and after:
            self.settle([written])
        return written is not None


def chunk_of(entry: Entry) -> Chunk:
    """The chunk that an entry records."""
    return Chunk(
        id=entry.id,
        job=entry.term("job"),
        items=tuple(item_of(each) for each in entry.body["items"]),
        kind=ChunkKind(entry.body["work"]),
        queue=QueueName(entry.term("queue")),
        accepted=entry.number("accepted"),
        trusted=entry.body["trusted"],
        recheck=entry.body["recheck"],
        tries=entry.body["tries"],
    )


def letters_of(chunk: Chunk, failed: Iterable[tuple[int, Outcome]]) -> list[Entry]:
    """The dead letters of failed items; they hold the items as received, inline images included."""
    return [
        letter_of(
            chunk.job,
            chunk.id,
            place,
            dataclasses.replace(each, item=chunk.items[place]),
            trusted=chunk.trusted,
            kind=chunk.kind,
        )
        for place, each in failed
    ]


def entry_of(chunk: Chunk, *, due: int, state: ChunkState = ChunkState.QUEUED) -> Entry:
    """The entry of a new chunk."""
    return Entry(
        kind=CHUNK,
        id=chunk.id,
        terms={"job": (chunk.job,), "queue": (chunk.queue.value,), "state": (state.value,)},
        numbers={"accepted": chunk.accepted, "due": due},
        body={
            "items": [format_item(item) for item in chunk.items],
            "digest": digest_of(chunk),
            "work": chunk.kind.value,
            "trusted": chunk.trusted,
            "recheck": chunk.recheck,
            "tries": chunk.tries,
        },
    )


def done(entry: Entry, counts: Mapping[str, int], after: Sequence[Entry] = ()) -> Entry:
    """The entry of a finished chunk, with its counts and the entries still to be written (see `settle`)."""
    unsettled = {"unsettled": ("yes",)} if after else {}
    return entry.replaced(
        terms={"job": entry.terms["job"], "state": (ChunkState.DONE.value,), **unsettled},
        numbers={"accepted": entry.number("accepted"), "at": now(), **counts},
        body={
            "digest": entry.body["digest"],
            **({"after": [each.as_json() for each in after]} if after else {}),
        },
    )


def digest_of(chunk: Chunk) -> str:
    """A digest that is equal for chunks with the same items."""
    return sha256(orjson.dumps([format_item(item) for item in chunk.items])).hexdigest()


def _later(chunk: Chunk, items: Sequence[Item]) -> Entry:
    """A delayed chunk of these items, for their next try."""
    base, mark, tries = chunk.id.rpartition("~")
    if not (mark and tries.isdigit()):
        base = chunk.id
    pause = BACKOFF.pause(chunk.tries)
    after = dataclasses.replace(
        chunk, id=f"{base}~{chunk.tries + 1}", items=tuple(items), accepted=0, tries=chunk.tries + 1
    )
    return entry_of(after, due=now() + _ms(pause), state=ChunkState.DELAYED)


def job_of(chunk_id: str) -> str:
    """The job that a chunk belongs to, by its id."""
    return chunk_id.partition("/")[0]


def now() -> int:
    """Milliseconds since 1970, the unit of all times in the ledger."""
    return int(time.time() * 1000)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _published(entry: Entry) -> ChunkMessage:
    return ChunkMessage(entry.id, entry.term("queue"))
