"""Scans of an index as the settings wire them: from suspects wherever they are to findings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from facsimile.version import __version__
from ingest.loading import Loader
from search.errors import InvalidRequest
from search.index.state import Wanted
from search.query import Filter
from workers.jobs import Job
from workers.scanning.allowances import Allowances
from workers.scanning.findings import KIND, Findings
from workers.scanning.run import carry_out
from workers.scanning.scans import Rules, Run, Scan, Scans
from workers.work import Means

if TYPE_CHECKING:
    from facsimile.library import Facsimile
    from ingest.fetch import FetchLimits
    from ingest.item import Tally


@dataclass(frozen=True, slots=True, kw_only=True)
class Scanned:
    """What a scan did: the suspects it read (None where it read none), and what it compared."""

    scan: Scan
    run: Run
    jobs: tuple[Job, ...]
    new: int
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
            "failed": self.failed,
            "seconds": round(sum(job.seconds for job in self.jobs), 3),
        }


class Scanning:
    """The scans and findings of an index."""

    def __init__(self, library: Facsimile) -> None:
        self._library = library
        self._index = library.index
        self.scans = Scans(library.index.state)
        self.findings = Findings(library.index.state)
        self.allowances = Allowances(library.index.state)

    def opened(
        self,
        name: str,
        catalogue: str,
        suspects: str = "",
        sources: Sequence[str] = (),
        *,
        include_similar: bool = False,
    ) -> Scan:
        """The scan of this name, made where there is none; without a name that of the catalogue."""
        name = name or catalogue
        suspects = suspects or f"suspects-{name}"
        for collection in (catalogue, *(() if sources else (suspects,))):
            if not self._index.count(Filter((collection,))):
                raise InvalidRequest(f"there is no collection {collection} in {self._index.location}")
        wanted = Scan(
            name=name,
            catalogue=catalogue,
            suspects=suspects,
            sources=tuple(sources),
            similar=include_similar,
        )
        return self.scans.opened(wanted)

    def states(self, name: str) -> dict[str, int]:
        """How many findings of a scan are in each state of review, allowed ones included."""
        return self._index.state.counts(Wanted(kind=KIND, terms={"scan": (name,)}), "state")

    def rules(self, *, similar: bool) -> Rules:
        """What the settings want comparisons to go by."""
        chosen = self._library.settings
        return Rules(
            signatures=self._index.signatures,
            thresholds=chosen.thresholds,
            policy=chosen.verification,
            similar=similar,
            program=__version__,
        )

    def compare(
        self,
        scan: Scan,
        *,
        processes: int = 0,
        read: Tally | None = None,
        on_progress: Callable[[Job], None] = lambda job: None,
    ) -> Scanned:
        """Compare what is new on either side, in processes of this machine."""
        library = self._library
        means = Means(
            open_index=library.opener,
            open_loader=partial(_loader, library.settings.fetching),
            limits=library.settings.limits,
            lease=library.settings.queue_lease,
        )
        jobs = carry_out(
            scan.name,
            self.rules(similar=scan.similar),
            self._index,
            means,
            processes=processes or library.settings.processes,
            on_progress=on_progress,
        )
        scan = self.scans.get(scan.name)
        runs = [self.scans.run(job.id) for job in jobs]
        self._index.state.refresh()
        new = sum(self._index.state.count(Wanted(kind=KIND, terms={"run": (run.id,)})) for run in runs)
        return Scanned(scan=scan, run=runs[-1], jobs=tuple(jobs), new=new, read=read)


def _loader(limits: FetchLimits, files: bool) -> Loader:
    return Loader(limits, files=files)
