"""Copies within an index, as clusters: tied by hash or by geometry, each proven against its keeper.

Two steps. First every record is asked about, and what a search would call its copies is tied to it; what is
tied over any number of steps forms a component. Components chain: a collage ties two pictures that share
nothing. So each is then cut into stars around keepers.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator, Sequence

from facsimile.imaging.record import BITS, ImageRecord, Key
from facsimile.search.duplicates.cluster import Cluster, Member
from facsimile.search.duplicates.pairs import DuplicateRules, Ties, batches, views
from facsimile.search.index.base import Index
from facsimile.search.keeper import Modified, Preference
from facsimile.search.match import Match, Verdict
from facsimile.search.proof_pool import TaskMap, run_here
from facsimile.search.query import Filter
from facsimile.search.ranking import judge, nearest, shown
from facsimile.search.verification import verified

#: marks the places of a record that are gone
LocateRecord = Callable[[ImageRecord], ImageRecord]


def clusters(
    index: Index,
    filter: Filter | None = None,
    rules: DuplicateRules | None = None,
    *,
    locate: LocateRecord = lambda record: record,
    modified: Modified = lambda record: None,
    progress: Callable[[int], None] = lambda done: None,
    run: TaskMap = run_here,
) -> list[Cluster]:
    """All clusters of two places or more, the largest first, then the pairs of one scene if they are wanted.

    Two records are tied when their bytes or pixels are the same, a hash of one, in any of the eight
    orientations, is near one of the other's, or geometry proves it. Nothing is described again. Memory grows
    with the records that have a duplicate, not with the index. Records and places that are gone are left out;
    `locate` marks those in a record that are not there any more, and `modified` dates its file. Where no file
    of a cluster is there, none is proposed to be kept. `progress` is told how many records have been looked
    at, and `run` carries out the verifications. Raises the errors of `facsimile.search.errors`.
    """
    rules = rules or DuplicateRules()
    filter = filter or Filter()
    patient = dataclasses.replace(rules.policy, seconds=math.inf)  # nobody waits for a single record
    rules = dataclasses.replace(rules, policy=patient)
    ties = Ties(index, filter, rules, run)
    done = 0
    for batch in batches(index.scan(filter, full=rules.verify)):
        ties.look(batch)
        done += len(batch)
        progress(done)
    stars = _Stars(index, rules, ties, locate, modified, run)
    found = [star for keys in ties.components() for star in stars.of(keys) if star.places > 1]
    home = {record.key: place for place, each in enumerate(found) for record in each.records}
    apart = [each for each in ties.scenes if not _together(each, home)]
    apart = [each for each in apart if not any(locate(record).is_gone for record in each.records)]
    return sorted(found, key=lambda each: (-each.places, each.records[0].key)) + apart


def _together(pair: Cluster, home: dict[Key, int]) -> bool:
    first, second = (home.get(record.key) for record in pair.records)
    return first is not None and first == second


class _Stars:
    """Cuts components into clusters in which every member is proven against the keeper.

    The record to keep leads. Those tied to it follow, and those tied to a member that the hash alone, or the
    bytes, tied to it: such a member shows all of the keeper, so what is proven against it shows some of the
    keeper, too. What is tied only to a part of the keeper may show another part of that part (of a collage,
    say), so it is left, and what is left is cut again.
    """

    def __init__(
        self,
        index: Index,
        rules: DuplicateRules,
        ties: Ties,
        locate: LocateRecord,
        modified: Modified,
        run: TaskMap,
    ) -> None:
        self._locate = locate
        self._modified = modified
        self._index = index
        self._rules = rules
        self._proven = ties.proven
        self._run = run
        self._told = dataclasses.replace(rules.reach, similar=BITS, similar_cosine=-1)

    def of(self, keys: Iterable[Key]) -> Iterator[Cluster]:
        """The clusters of a component, of its records as they are now; single records, too."""
        records = self._left(self._index.get(keys, full=False).values())
        preference = Preference(records, self._modified)
        left = preference.order(records)
        while left:
            keeper, *others = left
            members = self._members(keeper, others)
            together = [keeper, *(each for each in others if each.key in members)]
            followers = (self._member(each, members[each.key]) for each in together[1:])
            yield Cluster((Member(keeper), *followers), why=preference.reason(together))
            left = [each for each in others if each.key not in members]

    def _left(self, records: Iterable[ImageRecord]) -> list[ImageRecord]:
        """The records with the places that they have left.

        Where no file of any is there, they may lie on another machine, and are told as they are.
        """
        located = [self._locate(record) for record in records if not record.is_gone]
        left = [record.replaced(sources=record.present) for record in located if not record.is_gone]
        return left or located

    def _member(self, record: ImageRecord, match: Match) -> Member:
        (match,) = shown(record, [match], self._rules.thresholds)
        return Member(record, match)

    def _members(self, keeper: ImageRecord, others: Sequence[ImageRecord]) -> dict[Key, Match]:
        """How each of the others that belongs to the keeper was proven."""
        linked = self._proven.get(keeper.key, set())
        near = [each for each in others if each.key in linked or self._near(each, keeper)]
        first = self._related([(each.key, keeper.key) for each in near])
        members = {key: match for key, match in first.items() if self._belongs(match, key in linked)}
        whole = {key for key, match in members.items() if self._by_hash(match)}
        second = [
            (each.key, min(through))
            for each in others
            if each.key not in members and (through := self._proven.get(each.key, set()) & whole)
        ]
        through_whole = self._related(second)
        return members | {key: match for key, match in through_whole.items() if self._belongs(match, True)}

    def _belongs(self, match: Match, linked: bool) -> bool:
        """What geometry linked from the other side needs no second proof, unless denied from here."""
        return self._rules.ties(match) or (linked and not match.note)

    def _near(self, record: ImageRecord, keeper: ImageRecord) -> bool:
        if record.sha256 == keeper.sha256 or record.pixels == keeper.pixels:
            return True
        found = nearest(views(record), keeper)
        return found is not None and found.hamming <= self._rules.thresholds.copy

    def _by_hash(self, match: Match) -> bool:
        near = match.hamming is not None and match.hamming <= self._rules.thresholds.copy
        return match.verdict is Verdict.IDENTICAL or (near and self._rules.ties(match))

    def _related(self, pairs: Sequence[tuple[Key, Key]]) -> dict[Key, Match]:
        """How the first of each pair shows the second, verified."""
        found: dict[Key, Match] = {}
        for some in batches(pairs):
            records = self._index.get({key for pair in some for key in pair})
            there = [[records[key] for key in pair] for pair in some if all(key in records for key in pair)]
            asked = [record for record, _ in there]
            rules = self._rules
            answers = [judge(record, views(record), [other], self._told) for record, other in there]
            if rules.verify:
                told = verified(self._index, asked, answers, rules.thresholds, rules.policy, run=self._run)
                answers = list(told)
            for record, matches in zip(asked, answers, strict=True):
                found.update((record.key, self._light(match)) for match in matches)
        return found

    def _light(self, match: Match) -> Match:
        """Without the picture, which would make memory grow with the sizes of clusters, and without a turn
        that was read off hashes too far apart to tell one."""
        near = match.hamming is not None and match.hamming <= self._rules.thresholds.similar
        record = match.record.replaced(thumbnail=None, vector=None)
        return dataclasses.replace(match, record=record, transform=match.transform if near else {})
