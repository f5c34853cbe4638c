"""The sweeper: publishes again the chunks that lost their worker or message, and finishes jobs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State
from facsimile.workers.ledger.chunks import LEASE, ChunkMessage, Chunks, ChunkState, now
from facsimile.workers.ledger.jobs import INTAKE, Jobs
from facsimile.workers.ledger.kinds import CHUNK

#: seconds between two sweeps
EVERY = 5.0

#: chunks that one sweep publishes at most in each state; the next sweep continues
MOST = 2000

_MARK = Ref("upkeep", "sweeper")


class Sweeper:
    """Sweeps the ledger. Any number may run at a time; one of them sweeps.

    `show` makes what workers wrote into the index visible to searches, `publish` sends chunks to the broker,
    `waiting` returns the number of messages of chunks in the broker.
    """

    def __init__(
        self,
        state: State,
        show: Callable[[], object],
        publish: Callable[[Iterable[ChunkMessage]], None],
        waiting: Callable[[], int],
        lease: float = LEASE,
    ) -> None:
        self._state = state
        self._show = show
        self._lease = lease
        self._chunks = Chunks(state, lease)
        self._jobs = Jobs(state)
        self._publish = publish
        self._waiting = waiting

    def sweep(self) -> int:
        """Publish the chunks that are due; returns how many."""
        steady = self._turn()
        if steady is None:
            return 0
        self._state.refresh()
        count = self._due(ChunkState.DELAYED)
        if steady:
            count += self._due(ChunkState.RUNNING)
        count += self._missing()
        self._chunks.settle(self._state.find(_unsettled(), limit=MOST).entries)
        for job in self._jobs.unfinished():
            # a producer that continues an open job looks for the chunks that it recorded
            if job.id == INTAKE or job.term("state") != "open":
                self._jobs.fold(job.id, self._show)
        return count

    def _turn(self) -> bool | None:
        """Whether sweeps have run long enough to judge leases; None where another sweeper has the turn.

        After the index was unavailable, every lease has expired although its worker may be alive.
        """
        entry = self._state.get([_MARK]).get(_MARK) or Entry(kind=_MARK.kind, id=_MARK.id)
        last, since, time = entry.number("last"), entry.number("since"), now()
        if 0 <= time - last < EVERY * 800:
            return None
        if time - last > EVERY * 4000:
            since = time
        if not self._state.put([entry.replaced(numbers={"last": time, "since": since})])[0]:
            return None
        return time - since >= self._lease * 1000 / 2

    def _due(self, state: ChunkState) -> int:
        return self._again(_wanted(state, now()), MOST)

    def _missing(self) -> int:
        """Publish as many queued chunks again as the broker has lost messages, the oldest first.

        Which messages it lost is unknown; since it keeps their order, those of the oldest chunks are the
        likely ones, and a chunk that is published twice is processed once.
        """
        missing = self._state.count(_wanted(ChunkState.QUEUED)) - self._waiting()
        return self._again(_wanted(ChunkState.QUEUED, now()), min(missing, MOST)) if missing > 0 else 0

    def _again(self, query: EntryFilter, most: int) -> int:
        entries = self._state.find(query, order="due", limit=most).entries
        count = 0
        # in batches of 100, so that a broker that fails half way leaves few to be found missing
        for start in range(0, len(entries), 100):
            published = self._chunks.requeue(entries[start : start + 100])
            self._publish(published)
            count += len(published)
        return count


def _unsettled() -> EntryFilter:
    """Finished chunks whose worker died before it had written the entries that follow."""
    terms = {"state": (ChunkState.DONE.value,), "unsettled": ("yes",)}
    return EntryFilter(kind=CHUNK, terms=terms, between={"at": (None, now() - int(EVERY * 1000))})


def _wanted(state: ChunkState, before: int | None = None) -> EntryFilter:
    between = {} if before is None else {"due": (None, before)}
    return EntryFilter(kind=CHUNK, terms={"state": (state.value,)}, between=between)
