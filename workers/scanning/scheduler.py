"""Scans that workers carry out: whoever keeps the schedule brings each one further, step by step."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.sources import items
from facsimile.search.index.base import Index
from facsimile.workers.errors import JobClosed, JobNotFound, QueueError
from facsimile.workers.ledger.chunks import Published, now
from facsimile.workers.ledger.jobs import Jobs, JobState, new_id
from facsimile.workers.logging import logger
from facsimile.workers.queue.producer import Producer
from facsimile.workers.scanning.lease import Claim
from facsimile.workers.scanning.plan import Planner
from facsimile.workers.scanning.scans import Phase, Rules, Run, Scan, Scans

#: milliseconds for which suspects are left to the process that reads their sources, unless it renews that
LEASE = 60_000

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What conducting needs of the queue: publishing chunks, how many wait, and at how many to pause.

    `rules` are those of an index, with or without what is only similar; `max_bytes` is of one image.
    """

    publish: Callable[[Iterable[Published]], None]
    waiting: Callable[[], int]
    limit: int
    max_bytes: int
    rules: Callable[[Index, bool], Rules]
    announce: Callable[[Scan, Run], None] = lambda scan, run: None


class Conductor:
    """Starts scans and brings them further. Any number may run at a time, and die at any point.

    Each step of a scan is claimed by a write that only one process wins.
    """

    def __init__(self, index: Index, means: Means) -> None:
        self._index = index
        self._means = means
        self._scans = Scans(index.state)
        self._jobs = Jobs(index.state)
        self._planner = Planner(index, means.announce)

    def tick(self) -> None:
        """Start the scans that are due, and bring further those under way."""
        for scans, step in ((self._scans.due(), self.start), (self._scans.under_way(), self._advance)):
            for scan in scans:
                try:
                    step(scan)
                except QueueError as error:
                    if error.transient:
                        raise
                    log.warning("scan has to wait", scan=scan.name, reason=str(error))

    def start(self, scan: Scan) -> bool:
        """Begin a run: first the sources are handed over. False where it is under way, or another was faster.

        The next time by the schedule is counted from now, so that one that was missed is not made up for.
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
        """Whatever the phase of a scan waits for may have come."""
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
        rules = self._means.rules(self._index, scan.similar)
        self._means.publish(self._planner.plan(scan, rules) or [])

    def _read(self, scan: Scan) -> None:
        """Hand the suspects over to the workers; what an earlier process began is gone on with."""
        try:
            self._jobs.start(scan.job, scan.sources, (scan.suspects, scan.catalogue))
        except JobClosed:
            return
        claim = Claim(self._scans, scan, LEASE)
        producer = Producer(
            self._index.state, self._means.publish, self._means.waiting, limit=self._means.limit
        )
        producer.produce(
            scan.job,
            self._suspects(scan),
            recheck=scan.recheck,
            on_accepted=lambda _accepted: claim.renew(),
        )
        self._jobs.close(scan.job)

    def _suspects(self, scan: Scan) -> Iterator[Item | Outcome]:
        """The images of all sources; one that is gone is a failure among them, and the others go on."""
        for source in scan.sources:
            try:
                yield from items(source, collection=scan.suspects, max_bytes=self._means.max_bytes)
            except FacsimileError as error:
                yield Outcome.failed(Item(source, collection=scan.suspects), error)
