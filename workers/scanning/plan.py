"""Plans a run of a scan: the records that are new on either side since the last run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice

from facsimile.imaging.record import ImageRecord
from facsimile.ingest.item import Item
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import Ref
from facsimile.search.query import Filter
from facsimile.workers.errors import JobNotFound, ScanClaimed
from facsimile.workers.ledger.chunks import Chunk, ChunkKind, ChunkMessage, Chunks, now
from facsimile.workers.ledger.jobs import JobKind, Jobs, new_id
from facsimile.workers.scanning.lease import ScanLease
from facsimile.workers.scanning.left_out import LeftOut
from facsimile.workers.scanning.scans import RUN, Phase, Run, Scan, ScanRules, Scans
from facsimile.workers.scanning.snapshots import Marks, Side, mark_of

#: items of a chunk, each of which may need the verification of all its candidates
CHUNK_ITEMS = 16

#: milliseconds of the lease of a process that makes a plan
LEASE = 30_000

#: chunks that are recorded in one go
_TOGETHER = 100


class Planner:
    """Begins and finishes runs of scans.

    Both sides are listed when a run is planned. New suspects are compared with all works, and new works with
    the suspects that are not new. A record that is added later is not in the lists, so it counts as new in
    the next run: every pair of records is compared at least once, and a finding that is recorded twice is
    stored once.

    `announce` is called for each finished run, at least once.
    """

    def __init__(self, index: Index, announce: Callable[[Scan, Run], None] = lambda scan, run: None) -> None:
        self._index = index
        self._announce = announce
        self._state = index.state
        self._scans = Scans(index.state)
        self._jobs = Jobs(index.state)
        self._marks = Marks(index.state)

    def plan(self, scan: Scan, rules: ScanRules) -> list[ChunkMessage] | None:
        """Begin a run; returns the chunks to publish. An unfinished plan is made again.

        None where a run is in progress, or another process plans it or was faster.
        """
        if scan.phase is Phase.COMPARING or (scan.phase is Phase.PLANNING and scan.lease > now()):
            return None
        begun = scan.replaced(phase=Phase.PLANNING, job=new_id(), begun=now(), lease=now() + LEASE)
        saved = self._scans.save(begun)
        if saved is None:
            return None
        if scan.phase is Phase.PLANNING:
            self._drop(scan.job)
        claim = ScanLease(self._scans, saved, LEASE)
        try:
            published = self._record(claim, rules)
            claim.move(Phase.COMPARING)
        except (ScanClaimed, JobNotFound):  # the process that takes a plan over deletes its job
            self._drop(saved.job)
            return None
        return published

    def finish(self, scan: Scan) -> Scan | None:
        """Finish a run; returns the scan. None while the run continues, or where another process was faster.

        Records that failed count as new in the next run; after a cancelled run all of its records do.
        """
        job = self._jobs.get(scan.job)
        if job.finished is None:
            return None
        idle = scan.replaced(phase=Phase.IDLE, job="", ended=now())
        if job.state == "cancelled":
            self._marks.delete(scan.job)
            return self._scans.save(idle)
        for side in Side:
            self._marks.drop(scan.job, side, self._failed(scan))
        run = self._scans.run(scan.job)
        after = idle.replaced(run=run.id, rules=run.rules.digest)
        self._announce(after, run)
        saved = self._scans.save(after)
        if saved and scan.run:
            self._marks.delete(scan.run)
            LeftOut(self._state).delete(scan.run)
        return saved

    def _record(self, claim: ScanLease, rules: ScanRules) -> list[ChunkMessage]:
        """Record the run with its marks and chunks."""
        scan = claim.scan
        sides = (scan.suspects, scan.catalogue)
        run = self._jobs.start(scan.job, scan.sources, sides, JobKind.COMPARE)
        known = scan.run if scan.rules == rules.digest else ""
        self._index.refresh()
        old, new, suspects = self._sides(claim, Side.SUSPECTS, known)
        _, new_works, works = self._sides(claim, Side.WORKS, known)
        back = new_works if old else []  # without earlier suspects the new ones are compared with every work
        self._state.put(
            [
                Run(
                    id=run,
                    scan=scan.name,
                    catalogue=scan.catalogue,
                    suspects=scan.suspects,
                    rules=rules,
                    at=datetime.now(UTC),
                    all_suspects=suspects,
                    all_works=works,
                    new_suspects=len(new),
                    new_works=len(new_works),
                ).entry()
            ]
        )
        chunks = Chunks(self._state)
        published: list[ChunkMessage] = []
        both = [*_chunks(run, ChunkKind.SUSPECTS, new), *_chunks(run, ChunkKind.WORKS, back)]
        for start in range(0, len(both), _TOGETHER):
            claim.renew()
            published += chunks.record(both[start : start + _TOGETHER])
        self._jobs.close(run)
        return published

    def _sides(self, claim: ScanLease, side: Side, known: str) -> tuple[int, list[Item], int]:
        """Mark the records of a side; returns how many are known, the others as items, and their total."""
        scan = claim.scan
        collection = scan.suspects if side is Side.SUSPECTS else scan.catalogue
        before = self._marks.read(known, side) if known else set()
        new: list[Item] = []
        count = 0

        def marks() -> Iterator[bytes]:
            nonlocal count
            for record in self._index.scan(Filter((collection,))):
                count += 1
                claim.renew()
                mark = mark_of(record)
                if mark not in before and not record.is_gone:  # its findings stay
                    new.append(_item(record))
                yield mark

        self._marks.write(scan.job, side, marks())
        return count - len(new), new, count

    def _failed(self, scan: Scan) -> set[bytes]:
        letters = self._jobs.letters.all(scan.job)
        items = [letter.item for letter in letters if letter.item]
        keys = [key for item in items for key in self._index.keys_of(item.id or "", (item.collection,))]
        return {mark_of(record) for record in self._index.get(keys, full=False).values()} if keys else set()

    def _drop(self, run: str) -> None:
        """Delete an abandoned plan."""
        self._marks.delete(run)
        self._jobs.delete(run, running=True)
        self._state.delete([Ref(RUN, run)])


def _item(record: ImageRecord) -> Item:
    return Item("", id=record.id, collection=record.collection)


def _chunks(run: str, kind: ChunkKind, items: Iterable[Item]) -> Iterator[Chunk]:
    iterator = iter(items)
    number = 0
    while some := tuple(islice(iterator, CHUNK_ITEMS)):
        yield Chunk(id=f"{run}/{kind}-{number:08}", job=run, items=some, kind=kind, accepted=len(some))
        number += 1
