"""Marks of the records that a run of a scan listed on either side, by which the next run finds new ones."""

from __future__ import annotations

import base64
import enum
from collections.abc import Iterable, Iterator
from hashlib import blake2b
from itertools import islice

import orjson

from facsimile.imaging.record import ImageRecord
from facsimile.search.index.state.base import Entry, Ref, State

KIND = "compared"

#: bytes of a mark, and marks in one entry
_BYTES = 16
_TOGETHER = 10_000


class Side(enum.StrEnum):
    """The two sides of a scan."""

    SUSPECTS = "suspects"
    WORKS = "works"


def mark_of(record: ImageRecord) -> bytes:
    """A digest of all fields of a record that a comparison and its evidence depend on.

    The time of adding is one, so that a record which was removed and came back counts as new; it is only
    tested for equality, so clocks do not matter.
    """
    facts = [
        record.collection,
        record.id,
        record.sha256,
        record.added_at.isoformat(),
        sorted(record.sources),
    ]
    return blake2b(orjson.dumps(facts), digest_size=_BYTES).digest()


class Marks:
    """The marks of runs in the state of an index; each run has its own."""

    def __init__(self, state: State) -> None:
        self._state = state

    def write(self, run: str, side: Side, marks: Iterable[bytes]) -> None:
        """Store the marks of a side; call it once per run and side."""
        iterator = iter(marks)
        number = 0
        while some := list(islice(iterator, _TOGETHER)):
            self._state.put([_entry(run, side, number, some)])
            number += 1

    def read(self, run: str, side: Side) -> set[bytes]:
        """The marks of a side: about a hundred bytes of memory each."""
        return {mark for entry in self._entries(run, side) for mark in _marks(entry)}

    def drop(self, run: str, side: Side, marks: set[bytes]) -> None:
        """Remove some marks: their records count as new in the next run."""
        for entry in list(self._entries(run, side)):
            kept = [mark for mark in _marks(entry) if mark not in marks]
            if len(kept) < len(_marks(entry)):
                self._state.put([entry.replaced(body=_body(kept))])

    def delete(self, run: str) -> None:
        """Delete all marks of a run."""
        for side in Side:
            self._state.delete([entry.ref for entry in list(self._entries(run, side))])

    def _entries(self, run: str, side: Side) -> Iterator[Entry]:
        number = 0
        # by their names and not by a listing, which may be a second late
        while entry := self._state.get([ref := _ref(run, side, number)]).get(ref):
            yield entry
            number += 1


def _ref(run: str, side: Side, number: int) -> Ref:
    return Ref(KIND, f"{run}/{side}/{number:06}")


def _entry(run: str, side: Side, number: int, marks: list[bytes]) -> Entry:
    return Entry(
        kind=KIND,
        id=_ref(run, side, number).id,
        terms={"run": (run,), "side": (side.value,)},
        body=_body(marks),
    )


def _body(marks: list[bytes]) -> dict[str, str]:
    return {"marks": base64.b64encode(b"".join(marks)).decode()}


def _marks(entry: Entry) -> list[bytes]:
    packed = base64.b64decode(entry.body["marks"])
    return [packed[start : start + _BYTES] for start in range(0, len(packed), _BYTES)]
