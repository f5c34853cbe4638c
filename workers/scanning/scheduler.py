"""Advances scans that workers run through their phases, and starts those that are due."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.sources import items
from facsimile.search.index.base import Index
from facsimile.workers.errors import JobClosed, JobNotFound, QueueError
from facsimile.workers.ledger.chunks import ChunkMessage, now
from facsimile.workers.ledger.jobs import Jobs, JobState, new_id
from facsimile.workers.logging import logger
from facsimile.workers.queue.producer import Producer
from facsimile.workers.scanning.lease import ScanLease
from facsimile.workers.scanning.plan import Planner
from facsimile.workers.scanning.scans import Phase, Run, Scan, ScanRules, Scans

#: milliseconds of the lease of a process that reads suspects
LEASE = 60_000

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulerDeps:
    """Dependencies of the scheduler: publishing chunks, how many wait, and at how many to pause.

    `rules` returns the rules of an index, with or without similar matches; `max_bytes` is the limit of one
    image.
    """

    publish: Callable[[Iterable[ChunkMessage]], None]
    waiting: Callable[[], int]
    limit: int
    max_bytes: int
    rules: Callable[[Index, bool], ScanRules]
    announce: Callable[[Scan, Run], None] = lambda scan, run: None


class ScanScheduler:
    """Starts and advances scans. Any number may run at a time, and die at any point.

    Each step of a scan is claimed by a write in which only one process succeeds.
    """

    def __init__(self, index: Index, deps: SchedulerDeps) -> None:
        self._index = index
        self._deps = deps
        self._scans = Scans(index.state)
        self._jobs = Jobs(index.state)
        self._planner = Planner(index, deps.announce)

    def tick(self) -> None:
        """Start the scans that are due, and advance those in progress."""
        for scans, step in ((self._scans.due(), self.start), (self._scans.under_way(), self._advance)):
            for scan in scans:
                try:
                    step(scan)
                except QueueError as error:
                    if error.transient:
                        raise
                    log.warning("scan_postponed", scan=scan.name, reason=str(error))

    def start(self, scan: Scan) -> bool:
        """Begin a run by reading its sources. False where one is in progress, or another process was faster.

        The next start of the schedule is counted from now: a missed start is not repeated.
        """
        due = now() + 1000 * scan.every if scan.every else 0
        if scan.phase is not Phase.IDLE:
            self._scans.save(scan.replaced(due=due))
            return False
        reading = scan.replaced(phase=Phase.READING, job=new_id(), begun=now(), due=due, lease=now() + LEASE)
        saved = self._scans.save(reading)
        if saved is None:
            return False
        self._read(saved)
        return True

    def _advance(self, scan: Scan) -> None:
        """Move a scan to its next phase if the current one has ended."""
        if scan.phase is Phase.COMPARING:
            self._planner.finish(scan)
        elif scan.phase is Phase.PLANNING and scan.lease < now():
            self._plan(scan)
        elif scan.phase is Phase.READING:
            try:
                job = self._jobs.get(scan.job)
            except JobNotFound:
                job = None
            if job is None or job.state is JobState.OPEN:
                if scan.lease < now() and (taken := self._scans.save(scan.replaced(lease=now() + LEASE))):
                    self._read(taken)
            elif job.finished is not None:
                self._plan(scan)

    def _plan(self, scan: Scan) -> None:
        rules = self._deps.rules(self._index, scan.similar)
        self._deps.publish(self._planner.plan(scan, rules) or [])

    def _read(self, scan: Scan) -> None:
        """Submit the suspects to the workers; continues what an earlier process began."""
        try:
            self._jobs.start(scan.job, scan.sources, (scan.suspects, scan.catalogue))
        except JobClosed:
            return
        claim = ScanLease(self._scans, scan, LEASE)
        producer = Producer(self._index.state, self._deps.publish, self._deps.waiting, limit=self._deps.limit)
        producer.produce(
            scan.job,
            self._suspects(scan),
            recheck=scan.recheck,
            on_accepted=lambda _accepted: claim.renew(),
        )
        self._jobs.close(scan.job)

    def _suspects(self, scan: Scan) -> Iterator[Item | Outcome]:
        """The images of all sources; a missing source is one failed outcome, and the others continue."""
        for source in scan.sources:
            try:
                yield from items(source, collection=scan.suspects, max_bytes=self._deps.max_bytes)
            except FacsimileError as error:
                yield Outcome.failed(Item(source, collection=scan.suspects), error)
