"""Runs a scan in the calling process."""

from __future__ import annotations

import time
from collections.abc import Callable

from facsimile.search.index.base import Index
from facsimile.search.index.state.base import EntryFilter
from facsimile.workers.chunk_worker import WorkerDeps
from facsimile.workers.ledger.jobs import Job
from facsimile.workers.ledger.kinds import CHUNK
from facsimile.workers.local_runner import work_off
from facsimile.workers.scanning.plan import Planner
from facsimile.workers.scanning.scans import Phase, Run, Scan, ScanRules, Scans

#: chunks for each process: with fewer, another process takes longer to start than it saves
_WORTH = 8

#: seconds between two checks whether another process has made its plan
_WAIT = 0.2


def run_scan(
    name: str,
    rules: ScanRules,
    index: Index,
    deps: WorkerDeps,
    *,
    processes: int = 1,
    announce: Callable[[Scan, Run], None] = lambda scan, run: None,
    on_progress: Callable[[Job], None] = lambda job: None,
) -> list[Job]:
    """Finish an interrupted run of a scan, if any, then compare what is new; returns the jobs.

    `announce` is called for each finished run. Raises the errors of the index. If this process dies, the same
    call continues.
    """
    scans, planner = Scans(index.state), Planner(index, announce)
    jobs: list[Job] = []

    def compare() -> None:
        scan = scans.get(name)
        if scan.phase is not Phase.COMPARING:
            return
        chunks = index.state.count(EntryFilter(kind=CHUNK, terms={"job": (scan.job,)}))
        job = work_off(
            scan.job,
            index.state,
            deps,
            processes=max(1, min(processes, chunks // _WORTH)),
            on_progress=on_progress,
        )
        planner.finish(scan)
        jobs.append(job)

    compare()
    while planner.plan(scans.get(name), rules) is None:
        if scans.get(name).phase is Phase.PLANNING:
            time.sleep(_WAIT)
        compare()  # another process began it, perhaps before all suspects were stored
    compare()
    return jobs
