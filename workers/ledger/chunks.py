"""Chunks of work in the ledger: each one is recorded before it is published, and done only when it says so.

The broker may lose a message, or deliver it twice. What holds is the entry in the index's state: whoever
works on a chunk has its lease, and whoever finishes it writes its counts with the version that the lease
gave, so that they count once. A message carries the id of a chunk and nothing else.
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

KIND = "chunk"

#: seconds that a claim holds without being renewed: after that its worker counts as dead. So long after it
#: was published, a chunk that nobody claimed may have been lost by the broker.
LEASE = 30.0

#: how often an item may end its worker, and how often one is tried that may succeed later
DEATHS = 3
TRIES = 5

#: seconds before the second try of an item; each later one waits three times as long
BACKOFF = Backoff(first=10.0, factor=3.0, jitter=(0.5, 1.5))

#: into how many a chunk is split that ended its worker: most workers die of something else
PARTS = 8

#: what is counted of each chunk
COUNTS = ("accepted", "added", "updated", "unchanged", "cancelled")


class ChunkState(enum.StrEnum):
    """Where a chunk is: `delayed` ones wait until they are due before they are published."""

    QUEUED = "queued"
    RUNNING = "running"
    DELAYED = "delayed"
    DONE = "done"


class Queue(enum.StrEnum):
    """The queues: what somebody waits for, bulk work that computes, bulk work that fetches, upkeep."""

    LIVE = "facsimile.live"
    COMPUTE = "facsimile.compute"
    FETCH = "facsimile.fetch"
    MAINTENANCE = "facsimile.maintenance"


class Work(enum.StrEnum):
    """What is done with the items of a chunk: bring them in; compare stored suspects of a scan with all its
    works; look stored works up among all its suspects."""

    INGEST = "ingest"
    SUSPECTS = "suspects"
    WORKS = "works"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Some items of one job that are worked on together.

    `accepted` is how many items it brings to its job: 0 where it only repeats items of another chunk.
    `trusted` items may name files; others only what the web serves. `tries` counts from 1. Stored items are
    named by collection and id.
    """

    id: str
    job: str
    items: tuple[Item, ...]
    work: Work = Work.INGEST
    queue: Queue = Queue.COMPUTE
    accepted: int = 0
    trusted: bool = False
    recheck: bool = False
    tries: int = 1


@dataclass(slots=True)
class Claim:
    """A chunk that this process has the lease of. `deaths` counts the claims before that came to no end."""

    chunk: Chunk
    entry: Entry
    deaths: int


@dataclass(frozen=True, slots=True)
class Published:
    """What has to be published: the id of a chunk and its queue."""

    id: str
    queue: str


class Chunks:
    """The chunks in the state of an index."""

    def __init__(self, state: State, lease: float = LEASE) -> None:
        self.state = state
        self._lease = lease

    # -- before the work -----------------------------------------------------------------------------------

    def record(self, chunks: Sequence[Chunk]) -> list[Published]:
        """Record chunks; the answer has those that are new, to be published. Others were recorded before."""
        written = self.state.put([entry_of(chunk, due=self._due()) for chunk in chunks])
        return [_published(entry) for entry in written if entry]

    def claim(self, id: str, holder: str) -> Claim | list[Published]:
        """The lease of a chunk, or what is to be published instead of it (mostly nothing).

        Nothing, where the chunk is done, unknown, cancelled or at work elsewhere. A chunk that has ended a
        worker is split; an item that has ended `DEATHS` workers becomes a dead letter.
        """
        job = Ref("job", job_of(id))
        stored = self.state.get([Ref(KIND, id), job])
        entry = stored.get(Ref(KIND, id))
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
        return Claim(chunk, claimed, deaths) if claimed else []

    def _split(self, chunk: Chunk, entry: Entry) -> list[Published]:
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
        reason = f"reading it ended its worker {DEATHS} times"
        failed = [Outcome(item, Status.FAILED, reason, WorkerDied) for item in chunk.items]
        self._done(entry, {}, letters_of(chunk, enumerate(failed)))

    # -- during the work -----------------------------------------------------------------------------------

    def renew(self, claim: Claim) -> bool:
        """Hold the lease for another while; False where another worker has it by now."""
        numbers = {**claim.entry.numbers, "due": self._due()}
        (entry,) = self.state.put([claim.entry.replaced(numbers=numbers)])
        if entry:
            claim.entry = entry
        return entry is not None

    def lost(self, id: str, holder: str) -> list[Published]:
        """Take a chunk back from a worker that is known to be dead; what is to be published."""
        entry = self.state.get([Ref(KIND, id)]).get(Ref(KIND, id))
        if entry is None or entry.term("state") != ChunkState.RUNNING or entry.term("holder") != holder:
            return []
        return self.requeue([entry])

    def release(self, claim: Claim) -> list[Published]:
        """Give a chunk back unfinished, through no fault of its items."""
        numbers = {**claim.entry.numbers, "deaths": claim.deaths}
        return self.requeue([claim.entry.replaced(numbers=numbers)])

    def requeue(self, entries: Sequence[Entry]) -> list[Published]:
        """Make chunks wait for a worker (again), as of now; those that others changed meanwhile are left."""
        waiting = [
            entry.replaced(
                terms={**entry.terms, "state": (ChunkState.QUEUED.value,), "holder": ()},
                numbers={**entry.numbers, "due": self._due()},
            )
            for entry in entries
        ]
        return [_published(entry) for entry in self.state.put(waiting) if entry]

    # -- after the work ------------------------------------------------------------------------------------

    def finish(self, claim: Claim, outcomes: Sequence[Outcome]) -> bool:
        """Count the outcomes; False where another worker had taken the chunk over, and so they do not count.

        Items that may succeed later are tried again after a pause, others that failed become dead letters.
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
        """Write what chunks that are done have left to be written; whoever does it again changes nothing."""
        for entry in entries:
            self.state.put([Entry.of(each) for each in entry.body["after"]])
            terms = {name: values for name, values in entry.terms.items() if name != "unsettled"}
            self.state.put([entry.replaced(terms=terms, body={"digest": entry.body["digest"]})])

    def _due(self) -> int:
        return now() + _ms(self._lease)

    def _done(self, entry: Entry, counts: dict[str, int], after: Sequence[Entry] = ()) -> bool:
        """Mark a chunk as done, with its counts and what follows from it, in one write: of two workers on
        one chunk the first alone has a say. Only then is written what follows; a sweep does it otherwise.
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
        work=Work(entry.body["work"]),
        queue=Queue(entry.term("queue")),
        accepted=entry.number("accepted"),
        trusted=entry.body["trusted"],
        recheck=entry.body["recheck"],
        tries=entry.body["tries"],
    )


def letters_of(chunk: Chunk, failed: Iterable[tuple[int, Outcome]]) -> list[Entry]:
    """Dead letters; they hold the items as they came, inline images included."""
    return [
        letter_of(
            chunk.job,
            chunk.id,
            place,
            dataclasses.replace(each, item=chunk.items[place]),
            trusted=chunk.trusted,
            work=chunk.work,
        )
        for place, each in failed
    ]


def entry_of(chunk: Chunk, *, due: int, state: ChunkState = ChunkState.QUEUED) -> Entry:
    """The entry of a new chunk."""
    return Entry(
        kind=KIND,
        id=chunk.id,
        terms={"job": (chunk.job,), "queue": (chunk.queue.value,), "state": (state.value,)},
        numbers={"accepted": chunk.accepted, "due": due},
        body={
            "items": [format_item(item) for item in chunk.items],
            "digest": digest_of(chunk),
            "work": chunk.work.value,
            "trusted": chunk.trusted,
            "recheck": chunk.recheck,
            "tries": chunk.tries,
        },
    )


def done(entry: Entry, counts: Mapping[str, int], after: Sequence[Entry] = ()) -> Entry:
    """The entry of a chunk that is done, with its counts and what is still to be written (see `settle`)."""
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
    """What tells whether two chunks have the same items."""
    return sha256(orjson.dumps([format_item(item) for item in chunk.items])).hexdigest()


def _later(chunk: Chunk, items: Sequence[Item]) -> Entry:
    """A chunk of these items for another try, some time from now."""
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
    """Milliseconds since 1970, as every number of time in the ledger."""
    return int(time.time() * 1000)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)


def _published(entry: Entry) -> Published:
    return Published(entry.id, entry.term("queue"))
