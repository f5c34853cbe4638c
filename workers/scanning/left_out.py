"""How many matches a run did not make findings of: similar pictures in which geometry found the work."""

from __future__ import annotations

from facsimile.search.index.state.base import Entry, Ref, State, Wanted

KIND = "left-out"


class LeftOut:
    """The counts of runs in the state of an index, by chunk, so that a chunk that is repeated counts once."""

    def __init__(self, state: State) -> None:
        self._state = state

    def record(self, run: str, chunk: str, number: int) -> None:
        """Keep the count of a chunk."""
        ref = Ref(KIND, chunk)
        before = self._state.get([ref]).get(ref)
        if number or before:
            entry = Entry(kind=KIND, id=chunk, terms={"run": (run,)}, numbers={"matches": number})
            # where another process has just written, it has compared the same
            self._state.put([entry.replaced(version=before.version if before else None)])

    def count(self, run: str) -> int:
        """How many a run has left out, as far as it is."""
        return self._state.sums(_of(run), ["matches"])["matches"]

    def forget(self, run: str) -> None:
        """Forget the counts of a run."""
        self._state.delete([entry.ref for entry in list(self._state.all(_of(run)))])


def _of(run: str) -> Wanted:
    return Wanted(kind=KIND, terms={"run": (run,)})
