"""Imports the state of an exported index into another one."""

from __future__ import annotations

from collections.abc import Sequence

from facsimile.ingest.item import Outcome
from facsimile.search.index.base import Status
from facsimile.search.index.state.base import Entry, State
from facsimile.workers.errors import NotProcessed
from facsimile.workers.ledger.chunks import COUNTS, ChunkKind, Chunks, ChunkState, chunk_of, done, letters_of
from facsimile.workers.ledger.jobs import INTAKE, JobState
from facsimile.workers.ledger.kinds import CHUNK, JOB
from facsimile.workers.scanning.scans import KIND as SCAN
from facsimile.workers.scanning.scans import Phase
from facsimile.workers.scanning.snapshots import Marks
from facsimile.workers.webhook import GIVEN_UP, PENDING
from facsimile.workers.webhook import KIND as DELIVERY

#: the reason of dead letters
REASON = "was not processed before the index was exported"


class StateImporter:
    """Writes entries of an export; those that are there already stay as they are.

    Chunks in progress are halted, since the exported index may continue them: images become dead letters,
    which can be redriven; comparisons of scans count as cancelled, so that the next run makes them; scans are
    not repeated until they are started again; events are not sent. `halted` counts the entries that this
    changed. With `resume` entries are imported unchanged, for workers of this index to continue.
    """

    def __init__(self, state: State, *, resume: bool = False) -> None:
        self.halted = 0
        self._state = state
        self._resume = resume

    def put(self, entries: Sequence[Entry]) -> None:
        """Write entries; an interrupted call can be repeated.

        Raises the errors of `facsimile.search.errors`.
        """
        if self._resume:
            self._state.put(entries)
            return
        arriving = [halt(entry) for entry in entries]
        for before, written in zip(entries, self._state.put(arriving), strict=True):
            if written and written != before:
                self.halted += 1
                if before.kind == SCAN and before.body["job"]:
                    Marks(self._state).delete(before.body["job"])
        # those that an interrupted call wrote, too
        unsettled = self._state.get([entry.ref for entry in arriving if entry.term("unsettled")])
        Chunks(self._state).settle(entry for entry in unsettled.values() if entry.term("unsettled"))


def halt(entry: Entry) -> Entry:
    """The entry in the form in which no worker continues it; the same entry where none would."""
    if entry.kind == CHUNK:
        return _halted_chunk(entry)
    if entry.kind == JOB and entry.id != INTAKE and entry.term("over") != "yes":
        return entry.replaced(
            terms={**entry.terms, "state": (JobState.CANCELLED.value,), "over": ("yes",)},
            numbers={**entry.numbers, "finished": entry.number("last") or entry.number("created")},
        )
    if entry.kind == SCAN and (entry.term("phase") != Phase.IDLE or entry.number("due")):
        return entry.replaced(
            terms={**entry.terms, "phase": (Phase.IDLE.value,)},
            numbers={name: number for name, number in entry.numbers.items() if name != "due"},
            body={**entry.body, "job": ""},
        )
    if entry.kind == DELIVERY and entry.term("state") == PENDING:
        return entry.replaced(
            terms={**entry.terms, "state": (GIVEN_UP,)},
            body={**entry.body, "reason": "was not sent before the index was exported"},
        )
    return entry


def _halted_chunk(entry: Entry) -> Entry:
    if entry.term("state") == ChunkState.DONE:
        after = [each for row in entry.body.get("after", ()) for each in _parts(Entry.from_json(row))]
        return (
            entry.replaced(body={**entry.body, "after": [each.as_json() for each in after]})
            if after
            else entry
        )
    chunk = chunk_of(entry)
    if chunk.kind is not ChunkKind.INGEST:
        return done(entry, {"cancelled": len(chunk.items)})
    failed = [Outcome(item, Status.FAILED, REASON, NotProcessed) for item in chunk.items]
    return done(entry, {}, letters_of(chunk, enumerate(failed)))


def _parts(entry: Entry) -> list[Entry]:
    """A pending entry in its halted form, with the entries that follow from that."""
    if entry.kind != CHUNK:
        return [entry]
    chunk = _halted_chunk(entry)
    letters = [Entry.from_json(row) for row in chunk.body.get("after", ())]
    return [done(chunk, {name: chunk.number(name) for name in COUNTS}), *letters]
