"""Jobs: chunks that were submitted together, and their progress.

The counts of a job are those of its chunks, so that workers write no counters. Finished chunks are folded
into the totals of the job from time to time, in idempotent steps.
"""

from __future__ import annotations

import enum
import re
import secrets
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.search.secrets import without_url_secrets
from facsimile.workers.errors import JobClosed, JobNotFound
from facsimile.workers.ledger.chunks import COUNTS, Chunks, ChunkState, now
from facsimile.workers.ledger.dead_letters import DeadLetters
from facsimile.workers.ledger.kinds import CHUNK, DEAD_LETTER, JOB

#: the job of messages that other services send one by one; it never closes
INTAKE = "intake"

#: chunks that are folded into the totals of their job in one step
FOLD = 500

#: how often a change of a job is retried after a conflict with another process
_CONFLICTS = 20


class JobKind(enum.StrEnum):
    """What is done with the images of a job. Those that are compared are `added` where they brought a new
    finding, `updated` where they changed one."""

    INGEST = "ingest"
    COMPARE = "compare"


class JobState(enum.StrEnum):
    """`open`: images may be added. `closed`: all are submitted. `finished` and `cancelled` are final."""

    OPEN = "open"
    CLOSED = "closed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The progress of a job. Every accepted item is in exactly one of the counts, or `pending`.

    `rate` is in items per second since the start, less the seconds that it was `idle` between its end and a
    retry; `seconds_left` is None where it is unknown.
    `collections` are those it writes to, empty where each source names its own.
    """

    id: str
    state: JobState
    sources: tuple[str, ...]
    collections: tuple[str, ...]
    started: datetime
    finished: datetime | None
    accepted: int
    added: int
    updated: int
    unchanged: int
    failed: int
    cancelled: int
    idle: float = 0.0
    kind: JobKind = JobKind.INGEST

    @property
    def decided(self) -> int:
        return self.added + self.updated + self.unchanged + self.failed + self.cancelled

    @property
    def pending(self) -> int:
        return max(0, self.accepted - self.decided)

    @property
    def seconds(self) -> float:
        return ((self.finished or datetime.now(UTC)) - self.started).total_seconds() - self.idle

    @property
    def rate(self) -> float:
        return (self.decided - self.cancelled) / self.seconds if self.seconds > 0 else 0.0

    @property
    def seconds_left(self) -> float | None:
        if self.state in (JobState.FINISHED, JobState.CANCELLED):
            return 0.0
        return self.pending / self.rate if self.state is JobState.CLOSED and self.rate else None

    def as_json(self) -> dict[str, Any]:
        """The JSON form of the job."""
        left = self.seconds_left
        return {
            "job": self.id,
            "state": self.state.value,
            "kind": self.kind.value,
            "accepted": self.accepted,
            **{name: getattr(self, name) for name in ("added", "updated", "unchanged", "failed")},
            "cancelled": self.cancelled,
            "pending": self.pending,
            "started": self.started.isoformat(timespec="milliseconds"),
            "finished": self.finished.isoformat(timespec="milliseconds") if self.finished else None,
            "rate": round(self.rate, 2),
            "seconds_left": None if left is None else round(left, 1),
            "sources": [without_url_secrets(source) for source in self.sources],
        }


class Jobs:
    """The jobs in the state of an index."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.letters = DeadLetters(state)

    # -- life ----------------------------------------------------------------------------------------------

    def start(
        self,
        id: str | None = None,
        sources: Sequence[str] = (),
        collections: Collection[str] = (),
        kind: JobKind = JobKind.INGEST,
    ) -> str:
        """Create a job, or continue an open one; returns its id. Raises JobClosed where it is not open."""
        id = validate_job_id(id or new_id())
        new = Entry(
            kind=JOB,
            id=id,
            terms={
                "state": (JobState.OPEN.value,),
                "over": ("no",),
                "collection": tuple(sorted(set(collections))),
            },
            numbers={"created": now()},
            body={
                "sources": [without_url_secrets(source) for source in list(sources)[:100]],
                "work": kind.value,
            },
        )
        if self.state.put([new])[0] is None and self._stored(id).term("state") != JobState.OPEN:
            raise JobClosed(f"job {id} takes no more images: it was closed, finished or cancelled")
        return id

    def close(self, id: str) -> None:
        """Close a job: all of its images are submitted."""
        self._move(id, (JobState.OPEN,), JobState.CLOSED)

    def cancel(self, id: str) -> None:
        """Cancel a job: workers skip the chunks that they have not begun."""
        if not self._move(id, (JobState.OPEN, JobState.CLOSED), JobState.CANCELLED):
            raise JobClosed(f"job {id} has ended already")

    def reopen(self, id: str) -> None:
        """Reopen a job whose dead letters are redriven."""
        self._move(id, (JobState.FINISHED, JobState.CANCELLED), JobState.CLOSED)

    def delete(self, id: str, *, running: bool = False) -> None:
        """Delete a job that has ended, with its dead letters.

        Raises JobNotFound, and JobClosed while it runs. With `running` neither is checked: chunks in progress
        are not counted, and remains of a deleted job are deleted, too.
        """
        if not running and self._stored(id).term("over") != "yes":
            raise JobClosed(f"job {id} still has chunks in progress: cancel it, and wait for its end")
        self.state.refresh()
        for kind in (CHUNK, DEAD_LETTER):
            while entries := self.state.find(EntryFilter(kind=kind, terms={"job": (id,)})).entries:
                self.state.delete([entry.ref for entry in entries])
                self.state.refresh()
        self.state.delete([Ref(JOB, id)])

    def _move(self, id: str, before: tuple[JobState, ...], after: JobState) -> bool:
        for _ in range(_CONFLICTS):
            entry = self._stored(id)
            if entry.term("state") not in before:
                return False
            numbers = dict(entry.numbers)
            if ended := numbers.pop("finished", 0):
                numbers["idle"] = entry.number("idle") + max(0, now() - ended)
            changed = entry.replaced(
                terms={**entry.terms, "state": (after.value,), "over": ("no",)}, numbers=numbers
            )
            if self.state.put([changed])[0]:
                return True
        raise JobClosed(f"other processes kept changing job {id}: try again")

    def _stored(self, id: str) -> Entry:
        entry = self.state.get([Ref(JOB, id)]).get(Ref(JOB, id))
        if entry is None:
            raise JobNotFound(f"there is no job {id}")
        return entry

    # -- progress ------------------------------------------------------------------------------------------

    def get(self, id: str) -> Job:
        """The progress of a job. Raises JobNotFound."""
        self.state.refresh()
        return self._job(self._stored(id))

    def all(self) -> Iterator[Job]:
        """Every job, the latest first."""
        self.state.refresh()
        for entry in self.state.all(EntryFilter(kind=JOB), order="created", descending=True):
            yield self._job(entry)

    def page(
        self,
        *,
        cursor: str | None,
        limit: int,
        collections: Collection[str] = (),
        state: JobState | None = None,
    ) -> tuple[list[Job], str | None]:
        """A page of the jobs in `collections` and `state`, the latest first, and the cursor of the next."""
        self.state.refresh()
        terms = {"collection": tuple(collections)} if collections else {}
        terms |= {"state": (state.value,)} if state else {}
        query = EntryFilter(kind=JOB, terms=terms)
        found = self.state.find(query, order="created", descending=True, limit=limit, cursor=cursor)
        return [self._job(entry) for entry in found.entries], found.cursor

    def unfinished(self) -> Iterator[Entry]:
        """The jobs that may have chunks."""
        return self.state.all(EntryFilter(kind=JOB, terms={"over": ("no",)}))

    def _job(self, entry: Entry) -> Job:
        counts = self.state.sums(_chunks(entry.id), COUNTS)
        for folded in self.state.get(_folding(entry)).values():
            for name in COUNTS:
                counts[name] -= folded.number(name)
        totals = {name: counts[name] + entry.number(name) for name in COUNTS}
        return Job(
            id=entry.id,
            state=JobState(entry.term("state")),
            sources=tuple(entry.body.get("sources", ())),
            collections=entry.terms.get("collection", ()),
            started=_time(entry.number("created")),
            finished=_time(entry.number("finished")) if entry.number("finished") else None,
            failed=self.letters.count(entry.id),
            idle=entry.number("idle") / 1000,
            kind=JobKind(entry.body.get("work", JobKind.INGEST)),
            **totals,
        )

    # -- maintenance ---------------------------------------------------------------------------------------

    def fold(self, id: str, show: Callable[[], object]) -> None:
        """Add the counts of finished chunks to the totals of the job and delete them, once there are enough.

        A job that is closed or cancelled and has no chunk left is finished, after `show` has made all that
        its workers wrote visible to searches. Sees what the last `refresh` made visible.
        """
        done = _chunks(id, ChunkState.DONE)
        working = self.state.count(_chunks(id, ChunkState.QUEUED, ChunkState.RUNNING, ChunkState.DELAYED))
        least = FOLD if working or id == INTAKE else 1
        while True:
            entry = self._stored(id)
            if folded := _folding(entry):
                self.state.delete(folded)
                self.state.refresh()
            chunks = self.state.find(done, limit=FOLD).entries
            if len(chunks) < least:
                break
            Chunks(self.state).settle(chunk for chunk in chunks if chunk.term("unsettled"))
            totals = {
                name: entry.number(name) + sum(chunk.number(name) for chunk in chunks) for name in COUNTS
            }
            last = max([entry.number("last"), *(chunk.number("at") for chunk in chunks)])
            # a write that conflicts with another process is refused, and the loop reads the job again
            self.state.put(
                [
                    entry.replaced(
                        numbers={**entry.numbers, **totals, "last": last},
                        body={**entry.body, "folding": [chunk.id for chunk in chunks]},
                    )
                ]
            )
        self._finish(self._stored(id), show)

    def _finish(self, entry: Entry, show: Callable[[], object]) -> None:
        state = JobState(entry.term("state"))
        if state not in (JobState.CLOSED, JobState.CANCELLED) or self.state.count(_chunks(entry.id)):
            return
        show()
        after = JobState.FINISHED if state is JobState.CLOSED else state
        self.state.put(
            [
                entry.replaced(
                    terms={**entry.terms, "state": (after.value,), "over": ("yes",)},
                    numbers={**entry.numbers, "finished": entry.number("last") or now()},
                )
            ]
        )


def new_id() -> str:
    """A readable id that sorts by its time of creation."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def validate_job_id(id: str) -> str:
    """Return the id; raises InvalidRequest where it is not valid."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", id):
        raise InvalidRequest(
            f"{id!r} is not a valid id of a job: use up to 100 letters, digits, dots, dashes, underscores"
        )
    return id


def _chunks(job: str, *states: ChunkState) -> EntryFilter:
    terms: dict[str, tuple[str, ...]] = {"job": (job,)}
    if states:
        terms["state"] = tuple(state.value for state in states)
    return EntryFilter(kind=CHUNK, terms=terms)


def _folding(entry: Entry) -> list[Ref]:
    return [Ref(CHUNK, id) for id in entry.body.get("folding", ())]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
