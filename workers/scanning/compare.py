"""Processes the chunks of a scan: compares stored suspects with works, and records findings."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from facsimile.imaging.decode import Limits
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import Description, ImageRecord, Key
from facsimile.ingest.item import Item, Outcome
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index, Status
from facsimile.search.match import Match, Verdict
from facsimile.search.params import MAX_LIMIT, SearchParams
from facsimile.search.query import Filter
from facsimile.search.stored_queries import descriptions
from facsimile.search.verification import reach
from facsimile.workers.chunk_worker import Handler
from facsimile.workers.ledger.chunks import Chunk, ChunkKind
from facsimile.workers.scanning.findings import Findings, Hit
from facsimile.workers.scanning.left_out import LeftOut
from facsimile.workers.scanning.scans import Run, Scans

#: works that one suspect is compared with at first; where all of them are findings, more are requested
WORKS = 20

#: candidate suspects for one work; where all of them look like copies, every suspect is compared
SUSPECTS = 500

#: suspects that are compare_chunk in one request
TOGETHER = 16

#: the status of each finding, by suspect and work
FindingOutcomes = dict[tuple[Key, Key], Status]


def compare_chunk(chunk: Chunk, index: Index, limits: Limits, model: Model | None) -> list[Outcome]:
    """Compare the items of a chunk; returns one outcome per item.

    An item is `added` where it led to a new finding, `updated` where it changed one, otherwise `unchanged`,
    also where its record is gone. Raises the errors of `facsimile.search.errors` where the index as a whole
    fails.
    """
    run = Scans(index.state).run(chunk.job)
    rules = dataclasses.replace(run.rules, signatures=index.signatures)  # it may have been rebuilt since
    comparer = Comparer(index, dataclasses.replace(run, rules=rules), limits, model)
    keys = [Key(item.collection, item.id or "") for item in chunk.items]
    ended = comparer.works(keys) if chunk.kind is ChunkKind.WORKS else comparer.suspects(keys)
    LeftOut(index.state).record(run.id, chunk.id, len(comparer.left_out))
    return [_outcome(item, ended.get(key)) for item, key in zip(chunk.items, keys, strict=True)]


#: the handlers of workers that take part in scans
HANDLERS: Mapping[ChunkKind, Handler] = {ChunkKind.SUSPECTS: compare_chunk, ChunkKind.WORKS: compare_chunk}


def _outcome(item: Item, ended: Status | FacsimileError | None) -> Outcome:
    if isinstance(ended, FacsimileError):
        return Outcome.failed(item, ended)
    return Outcome(item, ended or Status.UNCHANGED)


class Comparer:
    """Compares the two sides of one run.

    The suspect is always the query and the work the stored picture, so that a finding does not depend on
    which of the two was new. `crowd` limits the candidate suspects of one work. `left_out` collects the
    pairs, by suspect and work, in which geometry found the work, but not as a copy, where the rules exclude
    such matches.
    """

    def __init__(
        self,
        index: Index,
        run: Run,
        limits: Limits | None = None,
        model: Model | None = None,
        *,
        crowd: int = SUSPECTS,
    ) -> None:
        self._index = index
        self._run = run
        self._limits = limits
        self._crowd = crowd
        self._finder = Finder(index, run.rules.thresholds, run.rules.policy, model=model)
        self._findings = Findings(index.state)
        unproven = (Verdict.SIMILAR,) if run.rules.similar else ()
        self._verdicts = (Verdict.IDENTICAL, Verdict.COPY, *unproven)
        self.left_out: set[tuple[Key, Key]] = set()

    def suspects(self, keys: Sequence[Key]) -> dict[Key, Status | FacsimileError]:
        """Compare these suspects with all works; returns the status of each that still exists."""
        faults, outcomes = self._compare(keys)
        return {**_by(outcomes, 0), **faults}

    def works(self, keys: Sequence[Key]) -> dict[Key, Status | FacsimileError]:
        """Compare all candidate suspects with these works; returns the status of each work."""
        works, faults = self._described(keys)
        ids = tuple(record.id for record, _ in works)
        near: set[Key] = set()
        for matches in self._near(works):
            if len(matches) == self._crowd and matches[-1].verdict is not Verdict.SIMILAR:
                near.update(self._all_suspects())
            near.update(match.record.key for match in matches)
        outcomes: FindingOutcomes = {}
        for batch in _batches(sorted(near), TOGETHER):
            outcomes.update(self._compare(batch, ids)[1])
        return {**_by(outcomes, 1), **faults}

    def _compare(
        self, keys: Sequence[Key], works: tuple[str, ...] = ()
    ) -> tuple[dict[Key, FacsimileError], FindingOutcomes]:
        suspects, faults = self._described(keys)
        found = self._matches([query for _, query in suspects], works, WORKS)
        for (record, _), matches in zip(suspects, found, strict=True):
            excluded = [match for match in matches if match.verdict not in self._verdicts]
            self.left_out.update((record.key, match.record.key) for match in excluded if match.proof)
        hits = [
            Hit(record, match)
            for (record, _), matches in zip(suspects, found, strict=True)
            for match in matches
            if match.verdict in self._verdicts
        ]
        return faults, self._findings.record(self._run, hits)

    def _matches(
        self, queries: Sequence[Description], works: tuple[str, ...], limit: int
    ) -> list[list[Match]]:
        """The candidate works of each query, best first; at least all those that become findings."""
        if not queries:
            return []
        within = (self._run.catalogue,)
        params = SearchParams(limit=limit, collections=within, filter={"id": works} if works else {})
        found = list(self._finder.search_many(queries, params))
        crowded = [place for place, matches in enumerate(found) if self._is_crowded(matches, limit)]
        more = self._matches([queries[place] for place in crowded], works, MAX_LIMIT)
        for place, matches in zip(crowded, more, strict=True):
            found[place] = matches
        return found

    def _is_crowded(self, matches: Sequence[Match], limit: int) -> bool:
        """Whether there may be more findings than the matches of a limited result."""
        return len(matches) == limit < MAX_LIMIT and all(each.verdict in self._verdicts for each in matches)

    def _near(self, works: Sequence[tuple[ImageRecord, Description]]) -> list[list[Match]]:
        """The candidate suspects of each work: within the reach of geometric verification."""
        rules = self._run.rules
        if not works:
            return []
        params = SearchParams(limit=self._crowd, collections=(self._run.suspects,), verify=False, panels=True)
        finder = Finder(self._index, reach(rules.thresholds, rules.policy))
        return finder.search_many([query for _, query in works], params)

    def _all_suspects(self) -> Iterator[Key]:
        for record in self._index.scan(Filter((self._run.suspects,))):
            yield record.key

    def _described(
        self, keys: Sequence[Key]
    ) -> tuple[list[tuple[ImageRecord, Description]], dict[Key, FacsimileError]]:
        """The records that still exist, each with its query, and the errors of those that cannot be one."""
        records = list(self._index.get(keys).values())
        good: list[tuple[ImageRecord, Description]] = []
        faults: dict[Key, FacsimileError] = {}
        for record, query in zip(records, descriptions(records, limits=self._limits), strict=True):
            if isinstance(query, FacsimileError):
                faults[record.key] = query
            else:
                good.append((record, query))
        return good, faults


def _by(outcomes: FindingOutcomes, side: int) -> dict[Key, Status | FacsimileError]:
    """The status of each record of a side: `added` if any of its findings is, else `updated` likewise."""
    order = (Status.UNCHANGED, Status.UPDATED, Status.ADDED)
    highest: dict[Key, Status | FacsimileError] = {}
    for status in order:
        highest.update({pair[side]: status for pair, each in outcomes.items() if each is status})
    return highest


def _batches(keys: Iterable[Key], size: int) -> Iterator[list[Key]]:
    iterator = iter(keys)
    while batch := list(islice(iterator, size)):
        yield batch
