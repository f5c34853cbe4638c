"""Scans of an index as the settings wire them: from suspects wherever they are to findings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facsimile.ingest.loader import Loader
from facsimile.ingest.open_source import is_remote
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.opening import model_of
from facsimile.search.index.state.base import EntryFilter
from facsimile.search.index.validation import check_collection
from facsimile.search.query import Filter
from facsimile.settings import Settings
from facsimile.workers.chunk_worker import WorkerDeps
from facsimile.workers.errors import JobClosed, JobNotFound
from facsimile.workers.ledger.jobs import Job
from facsimile.workers.scanning.allowances import Allowance, Allowances, allow
from facsimile.workers.scanning.compare import HANDLERS
from facsimile.workers.scanning.deletion import delete_scan
from facsimile.workers.scanning.findings import KIND, Findings
from facsimile.workers.scanning.left_out import LeftOut
from facsimile.workers.scanning.notifications import announcer
from facsimile.workers.scanning.run import run_scan
from facsimile.workers.scanning.scans import Phase, Run, Scan, Scans
from facsimile.workers.webhook import Webhooks

if TYPE_CHECKING:
    from facsimile.ingest.fetch_limits import FetchLimits
    from facsimile.ingest.item import Outcome, Tally
    from facsimile.job_queue import JobQueue


#: seconds between two looks at what workers do
_LOOK = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan did: the suspects it read (None where it read none), and what it compared.

    `left_out` counts the matches in which geometry found a work, though not as a copy, and which became no
    findings, since only proven copies were requested.
    """

    scan: Scan
    run: Run
    jobs: tuple[Job, ...]
    new: int
    left_out: int = 0
    read: Tally | None = None

    @property
    def failed(self) -> int:
        """Suspects and works that could not be read or compared."""
        return sum(job.failed for job in self.jobs) + (self.read.failed if self.read else 0)

    def as_json(self) -> dict[str, Any]:
        """The outcome as services read it."""
        return {
            "scan": self.scan.name,
            "run": self.run.id,
            **self.run.counts,
            "new_findings": self.new,
            "similar_left_out": self.left_out,
            "failed": self.failed,
            "seconds": round(sum(job.seconds for job in self.jobs), 3),
        }


class Scanning:
    """The scans and findings of an index.

    `open_index` opens the index in another process, `ingest` is that of `Facsimile`, and `queue` is called
    when workers run the scan.
    """

    def __init__(
        self,
        index: Index,
        chosen: Settings,
        *,
        open_index: Callable[[], Index],
        ingest: Callable[..., Tally],
        queue: Callable[[], JobQueue],
    ) -> None:
        self._index = index
        self._settings = chosen
        self._open_index = open_index
        self._ingest = ingest
        self._queue = queue
        self.scans = Scans(index.state)
        self.findings = Findings(index.state)
        self.allowances = Allowances(index.state)
        self.webhooks = Webhooks(index.state, chosen.endpoint)
        self.announce = announcer(index.state, self.webhooks)

    def create_or_update(
        self,
        name: str,
        catalogue: str,
        suspects: str = "",
        sources: Sequence[str] = (),
        *,
        include_similar: bool = False,
        recheck: bool = False,
    ) -> Scan:
        """The scan of this name, made where there is none; without a name that of the catalogue."""
        name = name or catalogue
        suspects = check_collection(suspects or f"suspects-{name}")
        for collection in (catalogue, *(() if sources else (suspects,))):
            if not self._index.count(Filter((collection,))):
                raise InvalidRequest(f"there is no collection {collection} in {self._index.location}")
        requested = Scan(
            name=name,
            catalogue=catalogue,
            suspects=suspects,
            sources=tuple(map(_absolute, sources)),
            similar=include_similar,
            recheck=recheck,
        )
        return self.scans.create_or_update(requested)

    def allow(self, where: Mapping[str, str], *, scan: str = "", note: str = "") -> Allowance:
        """Allow what meets all of these conditions, such as `{"site": HOST, "work": ID}`.

        Raises InvalidRequest for what cannot be met, and ScanNotFound.
        """
        return allow(self._index, where, scan=scan, note=note)

    def delete(self, name: str) -> int:
        """Delete a scan that is idle, with its findings; returns their number. Raises ScanNotFound."""
        return delete_scan(self._index.state, name)

    def run_scan(
        self,
        scan: Scan,
        sources: Sequence[str] = (),
        *,
        processes: int = 0,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_progress: Callable[[Job], None] = lambda job: None,
    ) -> Scanned:
        """Read suspects, and compare what is new on either side, in processes of this machine."""
        read = None
        if sources:
            read = self._ingest(
                *sources,
                collection=scan.suspects,
                processes=processes,
                recheck=scan.recheck,
                on_outcome=on_outcome,
            )
            if read.interrupted:
                raise KeyboardInterrupt
        return self.compare(scan, processes=processes, read=read, on_progress=on_progress)

    def hand_over(self, scan: Scan) -> bool:
        """Let the workers carry out a run; False where one is under way already. Raises BrokerUnavailable."""
        queue = self._queue()
        queue.ping()  # a run that is begun without a queue would wait for its lease to end
        return queue.scheduler(self._index, self.announce).start(scan)

    def wait(self, name: str, on_progress: Callable[[Job], None] = lambda job: None) -> Scanned:
        """What the run that workers carry out has done, when it is over."""
        jobs: dict[str, Job] = {}
        while (scan := self.scans.get(name)).phase is not Phase.IDLE:
            with suppress(JobNotFound):
                jobs[scan.job] = self._queue().watch(scan.job)
                on_progress(jobs[scan.job])
            time.sleep(_LOOK)
        if not scan.run:
            raise JobClosed(f"the scan {name} was cancelled")
        last = {id: self._queue().jobs.get(id) for id in jobs}
        return self._scanned(scan, [self.scans.run(scan.run)], list(last.values()), None)

    def compare(
        self,
        scan: Scan,
        *,
        processes: int = 0,
        read: Tally | None = None,
        on_progress: Callable[[Job], None] = lambda job: None,
    ) -> Scanned:
        """Compare what is new on either side, in processes of this machine."""
        chosen = self._settings
        deps = WorkerDeps(
            open_index=self._open_index,
            open_loader=partial(_loader, chosen.fetching),
            handlers=HANDLERS,
            open_model=partial(model_of, requested=chosen.model, options=chosen.running),
            limits=chosen.limits,
            lease=chosen.queue_lease,
        )
        jobs = run_scan(
            scan.name,
            chosen.scan_rules(self._index, scan.similar),
            self._index,
            deps,
            processes=processes or chosen.process_count,
            announce=self.announce,
            on_progress=on_progress,
        )
        self.webhooks.deliver()
        scan = self.scans.get(scan.name)
        # workers may have brought the run to its end before we took part in it
        runs = [self.scans.run(id) for id in [job.id for job in jobs] or [scan.run]]
        return self._scanned(scan, runs, jobs, read)

    def _scanned(self, scan: Scan, runs: Sequence[Run], jobs: Sequence[Job], read: Tally | None) -> Scanned:
        self._index.state.refresh()
        new = sum(self._index.state.count(EntryFilter(kind=KIND, terms={"run": (run.id,)})) for run in runs)
        left_out = sum(LeftOut(self._index.state).count(run.id) for run in runs)
        return Scanned(scan=scan, run=runs[-1], jobs=tuple(jobs), new=new, left_out=left_out, read=read)


def _absolute(source: str) -> str:
    """A source as another process finds it."""
    return source if is_remote(source) else str(Path(source).absolute())


def _loader(limits: FetchLimits, files: bool) -> Loader:
    return Loader(limits, files=files)
