"""Thresholds measured on the user's own images, kept with the index so that all its programs agree.

A calibration makes verdicts stricter, never looser: what it rejects as a copy is `similar`.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from facsimile.search.index.base import Index
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from facsimile.search.match import Match, Verdict
from facsimile.search.ranking import unproven

KIND = "calibration"

#: the note of a match that a calibration rejects as a copy
UNCERTAIN = "below the calibrated thresholds"

#: seconds for which a process relies on what it read; another one's calibration counts after that
_KEPT = 5.0

#: the id of the calibration of all collections that have none of their own: no collection is called so
_ALL = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What a copy needs in one collection (all without one of their own if it is empty).

    `precision` is the one that was wanted. `hash`: the largest Hamming distance where pixels were not
    compared. `score`: the smallest score. `agreement`: the smallest median correlation of the compared cells,
    where they were compared. `signatures` are those of the index when it was measured: with others it does
    not count. `measured` has the figures, with intervals, and where they come from.
    """

    collection: str = ""
    precision: float
    hash: int
    score: float
    agreement: float
    signatures: str
    measured: Mapping[str, Any] = field(default_factory=dict)

    def accepts(self, match: Match) -> bool:
        """Whether a match that was called a copy stays one."""
        if match.score < self.score:
            return False
        if match.proof is not None:
            return match.proof.agreement >= self.agreement
        return match.hamming is not None and match.hamming <= self.hash

    def as_json(self) -> dict[str, Any]:
        """The calibration as services read it."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The calibration that `as_json` returned."""
        return cls(**values)


def save(index: Index, calibration: Calibration) -> None:
    """Keep a calibration with the index; it replaces the one of its collection."""
    ref = Ref(KIND, calibration.collection or _ALL)
    while True:
        stored = index.state.get([ref]).get(ref)
        version = stored.version if stored else None
        entry = Entry(kind=KIND, id=ref.id, body=calibration.as_json(), version=version)
        if index.state.put([entry])[0] is not None:
            break
    index.state.refresh()


def remove(index: Index, collection: str = "") -> None:
    """Go back to the thresholds of the settings for a collection, or for all that have none of their own."""
    index.state.delete([Ref(KIND, collection or _ALL)])
    index.state.refresh()


def stored(index: Index) -> list[Calibration]:
    """Every calibration of the index, that of all collections first."""
    return [Calibration.from_json(entry.body) for entry in index.state.all(EntryFilter(kind=KIND))]


class Calibrations:
    """The calibrations of an index, read again every few seconds."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._known: dict[str, Calibration] = {}
        self._until = 0.0

    def of(self, collection: str) -> Calibration | None:
        """The calibration that counts for a collection."""
        if time.monotonic() >= self._until:
            signatures = str(self._index.signatures)
            self._known = {
                each.collection: each for each in stored(self._index) if each.signatures == signatures
            }
            self._until = time.monotonic() + _KEPT
        return self._known.get(collection) or self._known.get("")

    def judged(self, match: Match, collection: str = "") -> Match:
        """The match, similar where it was called a copy and its collection (or this one) asks for more."""
        if match.verdict is not Verdict.COPY:
            return match
        calibration = self.of(collection or match.record.collection)
        if calibration is None or calibration.accepts(match):
            return match
        return dataclasses.replace(unproven(match), note=match.note or UNCERTAIN)

    def ordered(self, matches: Iterable[Match]) -> list[Match]:
        """The matches so judged; copies stay before those that are none any more."""
        before: Sequence[Match] = list(matches)
        after = [self.judged(match) for match in before]
        lost = [match for match, old in zip(after, before, strict=True) if match is not old]
        if not lost:
            return after
        kept = [match for match, old in zip(after, before, strict=True) if match is old]
        place = sum(match.verdict in (Verdict.IDENTICAL, Verdict.COPY) for match in kept)
        similar = sorted(
            [*lost, *kept[place:]], key=lambda match: (match.verdict is Verdict.TEXT, -match.score)
        )
        return [*kept[:place], *similar]
