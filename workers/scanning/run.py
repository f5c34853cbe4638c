"""A scan carried out by the process that asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable

from facsimile.search.index.base import Index
from facsimile.search.index.state.base import Wanted
from facsimile.workers.chunk_worker import Means
from facsimile.workers.ledger.chunks import KIND as CHUNK
from facsimile.workers.ledger.jobs import Job
from facsimile.workers.local_runner import work_off
from facsimile.workers.scanning.plan import Planner
from facsimile.workers.scanning.scans import Phase, Rules, Run, Scan, Scans

#: chunks for each process: with less to do, another one takes longer to start than it saves
_WORTH = 8

#: seconds until a look whether another process has made its plan
_WAIT = 0.2


def carry_out(
    name: str,
    rules: Rules,
    index: Index,
    means: Means,
    *,
    processes: int = 1,
    announce: Callable[[Scan, Run], None] = lambda scan, run: None,
    on_progress: Callable[[Job], None] = lambda job: None,
) -> list[Job]:
    """Finish the run of a scan that was cut short, if any, then compare what is new by now; the jobs.

    `announce` is told of each run that came to its end. Raises the errors of the index. Whatever ends this
    process, the same call goes on where it was.
    """
    scans, planner = Scans(index.state), Planner(index, announce)
    jobs: list[Job] = []

    def compare() -> None:
        scan = scans.get(name)
        if scan.phase is not Phase.COMPARING:
            return
        chunks = index.state.count(Wanted(kind=CHUNK, terms={"job": (scan.job,)}))
        job = work_off(
            scan.job,
            index.state,
            means,
            processes=max(1, min(processes, chunks // _WORTH)),
            on_progress=on_progress,
        )
        planner.finish(scan)
        jobs.append(job)

    compare()
    while planner.plan(scans.get(name), rules) is None:
        if scans.get(name).phase is Phase.PLANNING:
            time.sleep(_WAIT)
        compare()  # another process began it, perhaps before our suspects were there
    compare()
    return jobs
