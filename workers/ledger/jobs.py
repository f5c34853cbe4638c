"""Jobs: what was handed over together, and how far it is.

The counts of a job are those of its chunks, so that nothing has to be counted while the work is done. Chunks
that are done are folded into the job's own totals from time to time, in steps that can be repeated.
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
from facsimile.search.index.state.base import Entry, Ref, State, Wanted
from facsimile.search.secrets import without_url_secrets
from facsimile.workers.errors import JobClosed, JobNotFound
from facsimile.workers.ledger.chunks import COUNTS, Chunks, ChunkState, now
from facsimile.workers.ledger.chunks import KIND as CHUNK
from facsimile.workers.ledger.dead_letters import Letters

KIND = "job"

#: the job of messages that other services send one by one; it never closes
INTAKE = "intake"

#: chunks that are folded into the totals of their job in one step
FOLD = 500

#: how often a change of a job is tried again when another process changed it in between
_CONFLICTS = 20


class JobWork(enum.StrEnum):
    """What is done with the images of a job. Those that are compared are `added` where they brought a new
    finding, `updated` where they changed one."""

    INGEST = "ingest"
    COMPARE = "compare"


class JobState(enum.StrEnum):
    """`open`: more may come. `closed`: all is handed over. The others say what they are."""

    OPEN = "open"
    CLOSED = "closed"
    FINISHED = "finished"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How far a job is. Every accepted item is in exactly one of the counts, or `pending`.

    `rate` is in items per second since the start, less the seconds that it was `idle` between its end and a
    retry; `seconds_left` is None where it cannot be told.
    `collections` are those it writes to, empty where the sources themselves say that.
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
    work: JobWork = JobWork.INGEST

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
        """The job as services read it."""
        left = self.seconds_left
        return {
            "job": self.id,
            "state": self.state.value,
            "work": self.work.value,
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
        self.letters = Letters(state)

    # -- life ----------------------------------------------------------------------------------------------

    def start(
        self,
        id: str | None = None,
        sources: Sequence[str] = (),
        collections: Collection[str] = (),
        work: JobWork = JobWork.INGEST,
    ) -> str:
        """Make a job, or go on with one that is open; its id. Raises JobClosed where it takes no more."""
        id = checked(id or new_id())
        new = Entry(
            kind=KIND,
            id=id,
            terms={
                "state": (JobState.OPEN.value,),
                "over": ("no",),
                "collection": tuple(sorted(set(collections))),
            },
            numbers={"created": now()},
            body={
                "sources": [without_url_secrets(source) for source in list(sources)[:100]],
                "work": work.value,
            },
        )
        if self.state.put([new])[0] is None and self._stored(id).term("state") != JobState.OPEN:
            raise JobClosed(f"job {id} takes no more images: it was closed, finished or cancelled")
        return id

    def close(self, id: str) -> None:
        """Say that all of a job is handed over."""
        self._move(id, (JobState.OPEN,), JobState.CLOSED)

    def cancel(self, id: str) -> None:
        """Let workers pass over what they have not begun."""
        if not self._move(id, (JobState.OPEN, JobState.CLOSED), JobState.CANCELLED):
            raise JobClosed(f"job {id} has come to its end already")

    def reopen(self, id: str) -> None:
        """Let a job take work again: what failed in it is put back."""
        self._move(id, (JobState.FINISHED, JobState.CANCELLED), JobState.CLOSED)

    def forget(self, id: str, *, running: bool = False) -> None:
        """Forget a job that has come to its end, with its dead letters.

        Raises JobNotFound, and JobClosed while it runs. With `running` neither matters: what is under way is
        not counted, and what is left of a job goes, too.
        """
        if not running and self._stored(id).term("over") != "yes":
            raise JobClosed(f"job {id} still has work under way: cancel it, and wait for its end")
        self.state.refresh()
        for kind in (CHUNK, "letter"):
            while entries := self.state.find(Wanted(kind=kind, terms={"job": (id,)})).entries:
                self.state.delete([entry.ref for entry in entries])
                self.state.refresh()
        self.state.delete([Ref(KIND, id)])

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
        raise JobClosed(f"job {id} kept being changed by others: try again")

    def _stored(self, id: str) -> Entry:
        entry = self.state.get([Ref(KIND, id)]).get(Ref(KIND, id))
        if entry is None:
            raise JobNotFound(f"there is no job {id}")
        return entry

    # -- progress ------------------------------------------------------------------------------------------

    def get(self, id: str) -> Job:
        """How far a job is. Raises JobNotFound."""
        self.state.refresh()
        return self._job(self._stored(id))

    def all(self) -> Iterator[Job]:
        """Every job, the latest first."""
        self.state.refresh()
        for entry in self.state.all(Wanted(kind=KIND), order="created", descending=True):
            yield self._job(entry)

    def page(
        self,
        *,
        cursor: str | None,
        limit: int,
        collections: Collection[str] = (),
        state: JobState | None = None,
    ) -> tuple[list[Job], str | None]:
        """Some jobs, the latest first, and where the next part begins; only those that write to these
        collections and are in this state."""
        self.state.refresh()
        terms = {"collection": tuple(collections)} if collections else {}
        terms |= {"state": (state.value,)} if state else {}
        wanted = Wanted(kind=KIND, terms=terms)
        found = self.state.find(wanted, order="created", descending=True, limit=limit, cursor=cursor)
        return [self._job(entry) for entry in found.entries], found.cursor

    def unfinished(self) -> Iterator[Entry]:
        """The jobs that may have chunks."""
        return self.state.all(Wanted(kind=KIND, terms={"over": ("no",)}))

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
            work=JobWork(entry.body.get("work", JobWork.INGEST)),
            **totals,
        )

    # -- upkeep --------------------------------------------------------------------------------------------

    def fold(self, id: str, show: Callable[[], object]) -> None:
        """Add the counts of chunks that are done to the job and forget them, once they are worth it.

        A job that is closed or cancelled, and has no chunk left, is finished, once `show` has made all that
        its workers wrote visible to searches. Sees what `refresh` has shown.
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
            # where another process folds too, this is refused and looked at again
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
    """An id that sorts by the time of its making, for people to read."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def checked(id: str) -> str:
    """The id, if it can be one; raises InvalidRequest."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}", id):
        raise InvalidRequest(
            f"{id!r} is no id of a job: up to 100 letters, digits, dots, dashes, underscores"
        )
    return id


def _chunks(job: str, *states: ChunkState) -> Wanted:
    wanted: dict[str, tuple[str, ...]] = {"job": (job,)}
    if states:
        wanted["state"] = tuple(state.value for state in states)
    return Wanted(kind=CHUNK, terms=wanted)


def _folding(entry: Entry) -> list[Ref]:
    return [Ref(CHUNK, id) for id in entry.body.get("folding", ())]


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
