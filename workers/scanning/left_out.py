"""Counts of the matches that a run left out: similar pictures in which geometry found the work."""

from __future__ import annotations

from facsimile.search.index.state.base import Entry, EntryFilter, Ref, State

KIND = "left-out"


class LeftOut:
    """The counts of runs in the state of an index, by chunk, so that a repeated chunk counts once."""

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, run: str, chunk: str, number: int) -> None:
        """Store the count of a chunk."""
        ref = Ref(KIND, chunk)
        before = self._state.get([ref]).get(ref)
        if number or before:
            entry = Entry(kind=KIND, id=chunk, terms={"run": (run,)}, numbers={"matches": number})
            # where another process has just written, it has compared the same
            self._state.put([entry.replaced(version=before.version if before else None)])

    def count(self, run: str) -> int:
        """The number that a run has left out so far."""
        return self._state.sums(_of(run), ["matches"])["matches"]

    def delete(self, run: str) -> None:
        """Delete the counts of a run."""
        self._state.delete([entry.ref for entry in list(self._state.all(_of(run)))])


def _of(run: str) -> EntryFilter:
    return EntryFilter(kind=KIND, terms={"run": (run,)})
