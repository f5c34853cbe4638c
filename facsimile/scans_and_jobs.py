"""Scans and jobs of an index: the part of the library that carries out or shows long work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from facsimile.images import SourceInput, places
from facsimile.results import Finding, Job, Scan, ScanResult
from facsimile.search.sequences import listed

if TYPE_CHECKING:
    from facsimile.ingest.item import Outcome
    from facsimile.job_queue import JobQueue
    from facsimile.scans import Scanning
    from facsimile.search.index.base import Index
    from facsimile.workers.ledger.jobs import Job as LedgerJob
    from facsimile.workers.scanning.scans import Scan as StoredScan


class ScansAndJobs:
    """What `facsimile.library.Facsimile` offers of scans and jobs."""

    index: Index

    if TYPE_CHECKING:  # made at their first use by the class below

        @property
        def scanning(self) -> Scanning: ...

        @property
        def queue(self) -> JobQueue: ...

    def scan(
        self,
        *suspects: SourceInput,
        catalogue: str,
        name: str = "",
        suspects_collection: str = "",
        include_similar: bool = False,
        recheck: bool = False,
        processes: int = 0,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_progress: Callable[[LedgerJob], None] = lambda job: None,
    ) -> ScanResult:
        """Search suspects (as `ingest` takes them) for the works of a catalogue, in processes here.

        Suspects are stored in `suspects_collection` (`suspects-NAME`); without any, it is compared as it is.
        A second call compares only what is new on either side.
        """
        sources = list(places(suspects))
        scan = self.scanning.create_or_update(
            name, catalogue, suspects_collection, sources, include_similar=include_similar, recheck=recheck
        )
        scanned = self.scanning.run_scan(
            scan, sources, processes=processes, on_outcome=on_outcome, on_progress=on_progress
        )
        done = scanned.as_json() | {"counts": scanned.run.counts} | self._scan_as_json(scanned.scan)
        return ScanResult.from_json(done)

    def scans(self) -> list[Scan]:
        """All scans, the oldest first."""
        return [Scan.from_json(self._scan_as_json(scan)) for scan in self.scanning.scans.all()]

    def _scan_as_json(self, scan: StoredScan) -> dict[str, Any]:
        return {**scan.as_json(), "findings": self.scanning.allowances.states(scan.name)}

    def findings(
        self, scan: str = "", *, states: str | Sequence[str] = (), work: str = "", site: str = ""
    ) -> Iterator[Finding]:
        """What a scan, or every scan, has found, less what is on the allow-list.

        `work` is `COLLECTION/ID`, `site` a host, `states` are those of review. Raises ScanNotFound.
        """
        if scan:
            self.scanning.scans.get(scan)
        found = self.scanning.findings.all(scan=scan, states=listed(states), work=work, site=site)
        for each in self.scanning.allowances.reported(found):
            yield Finding.from_json(each.as_json())

    def review(self, finding: str, *, state: str = "", comment: str = "", reviewer: str = "") -> Finding:
        """Set the state of a finding, or comment on it. Raises FindingNotFound, InvalidRequest."""
        reviewed = self.scanning.findings.review(finding, state=state, comment=comment, reviewer=reviewer)
        return Finding.from_json(reviewed.as_json())

    def jobs(self) -> Iterator[Job]:
        """All jobs of the queue, the latest first."""
        from facsimile.workers.ledger.jobs import Jobs

        return (Job.from_json(job.as_json()) for job in Jobs(self.index.state).all())

    def job(self, id: str) -> Job:
        """The progress of one job. Raises JobNotFound."""
        from facsimile.workers.ledger.jobs import Jobs

        return Job.from_json(Jobs(self.index.state).get(id).as_json())
