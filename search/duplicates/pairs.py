"""Which records of an index are copies of one another, pair by pair: by hash, or proven by geometry."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from facsimile.imaging.describe import HashQuery, hash_queries_of_bits
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.calibration import Calibrations
from facsimile.search.duplicates.cluster import Cluster, Member
from facsimile.search.duplicates.disjoint_set import DisjointSet
from facsimile.search.index.base import Index
from facsimile.search.match import Match, Verdict
from facsimile.search.proof import Policy
from facsimile.search.proof_pool import TaskMap, run_here
from facsimile.search.query import Filter, IndexQuery
from facsimile.search.ranking import Thresholds, judge, shown
from facsimile.search.verification import reach, verified

_T = TypeVar("_T")

#: no cosine is as high
_NEVER = 2.0

#: records that are asked about in one request
_BATCH = 32

#: candidates of one record by hash, and by vector
_BY_HASH, _BY_VECTOR = 200, 50

#: pairs that were looked at and are not looked at again from their other side; beyond, all are forgotten
_REMEMBERED = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DuplicateRules:
    """What ties two records.

    Candidates are verified as a search does it, `policy.candidates` of each record, without a limit of time.
    Without `verify` the hash alone ties, up to `thresholds.copy`. `scenes` keeps the pairs of the same scene,
    too.
    """

    thresholds: Thresholds = field(default_factory=Thresholds)
    policy: Policy = field(default_factory=Policy)
    verify: bool = True
    scenes: bool = False

    @property
    def reach(self) -> Thresholds:
        """Where candidates end."""
        if self.verify:
            return reach(self.thresholds, self.policy)
        copy = self.thresholds.copy
        return Thresholds(copy=copy, similar=copy, similar_cosine=_NEVER)

    def ties(self, match: Match) -> bool:
        """Whether the match, verified or not, is a copy."""
        return match.verdict in (Verdict.IDENTICAL, Verdict.COPY)


class Ties:
    """Which records are tied. `proven` has, for each record that geometry tied, to which others."""

    def __init__(self, index: Index, filter: Filter, rules: DuplicateRules, run: TaskMap = run_here) -> None:
        self.proven: dict[Key, set[Key]] = {}
        self.scenes: list[Cluster] = []
        self._index = index
        self._filter = filter
        self._rules = rules
        self._reach = rules.reach
        self._calibrations = Calibrations(index)
        self._tied: DisjointSet[Key] = DisjointSet()
        self._seen: set[int] = set()
        self._run = run
        self._under_way: Iterator[tuple[ImageRecord, list[Match]]] = iter(())

    def look(self, batch: Sequence[ImageRecord]) -> None:
        """Tie these records to their copies, wherever in the index.

        What is to be verified is so until the next call, for children to work while the index is searched.
        """
        doubtful = []
        for record, matches in zip(batch, self._matches(batch), strict=True):
            sure = [match for match in matches if self._is_sure(record, match)]
            for match in sure:
                self._tied.join(record.key, match.record.key)
            if len(record.sources) > 1:
                self._tied.add(record.key)
            doubtful.append(self._unseen(record.key, [match for match in matches if match not in sure]))
        if not self._rules.verify:
            return
        rules = self._rules
        told = verified(self._index, batch, doubtful, rules.thresholds, rules.policy, run=self._run)
        self._finish()
        self._under_way = zip(batch, told, strict=True)

    def _finish(self) -> None:
        for record, matches in self._under_way:
            for match in matches:
                self._take(record, match)

    def components(self) -> list[list[Key]]:
        """The keys that are tied over any number of steps, and those of records with several sources."""
        self._finish()
        return self._tied.groups()

    def _matches(self, batch: Sequence[ImageRecord]) -> Iterator[list[Match]]:
        """The candidates of each record, best first."""
        looks = [views(record) for record in batch]
        asked = [self._question(*pair) for pair in zip(batch, looks, strict=True)]
        found = self._index.ask(asked)
        for record, view, records in zip(batch, looks, found, strict=True):
            others = [other for other in records if other.key != record.key]
            yield judge(record, view, others, self._reach)

    def _question(self, record: ImageRecord, view: tuple[HashQuery, ...]) -> IndexQuery:
        vector = record.vector if self._rules.verify and record.quality else None
        by_vector = 0 if vector is None else _BY_VECTOR
        return IndexQuery(
            view, self._reach.similar, _BY_HASH, self._filter, vector, by_vector, digests=record.digests
        )

    def _judged(self, record: ImageRecord, match: Match) -> Match:
        """The match by the calibrations of both collections."""
        return self._calibrations.judged(self._calibrations.judged(match), record.collection)

    def _is_sure(self, record: ImageRecord, match: Match) -> bool:
        if match.verdict is Verdict.IDENTICAL:
            return True
        return not self._rules.verify and self._judged(record, match).verdict is Verdict.COPY

    def _unseen(self, key: Key, matches: list[Match]) -> list[Match]:
        """The best pairs that were not verified from the other side."""
        if len(self._seen) >= _REMEMBERED:
            self._seen.clear()
        fresh: list[Match] = []
        for match in matches:
            pair = hash((min(key, match.record.key), max(key, match.record.key)))
            if len(fresh) < self._rules.policy.candidates and pair not in self._seen:
                self._seen.add(pair)
                fresh.append(match)
        return fresh

    def _take(self, record: ImageRecord, match: Match) -> None:
        first, second = record.key, match.record.key
        match = self._judged(record, match)
        if self._rules.ties(match):
            self._tied.join(first, second)
            self.proven.setdefault(first, set()).add(second)
            self.proven.setdefault(second, set()).add(first)
        elif match.note and self._rules.scenes:
            (match,) = shown(record, [match], self._rules.thresholds)
            pair = (Member(match.record), Member(record.replaced(thumbnail=None), match))
            self.scenes.append(Cluster(pair, match.note))


def views(record: ImageRecord) -> tuple[HashQuery, ...]:
    """The stored hashes in every orientation; flips and turns are approximate, which geometry makes good."""
    if not record.quality:
        return ()
    return (
        *hash_queries_of_bits(
            record.bits, record.bits_trimmed, orientations=["upright"], all_neighbours=True
        ),
        *hash_queries_of_bits(record.bits, record.bits_trimmed, orientations=ORIENTATIONS[1:]),
    )


def batches(values: Iterable[_T]) -> Iterator[list[_T]]:
    """The values, as many at a time as are asked about in one request."""
    source = iter(values)
    while batch := list(islice(source, _BATCH)):
        yield batch
