"""Deleting a scan with all that only it has."""

from __future__ import annotations

from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import EntryFilter, Ref, State
from facsimile.workers.scanning.findings import KIND as FINDING
from facsimile.workers.scanning.left_out import LeftOut
from facsimile.workers.scanning.scans import KIND, RUN, Phase, Scans
from facsimile.workers.scanning.snapshots import Marks

#: entries that are deleted by one request
_BATCH = 500


def delete_scan(state: State, name: str) -> int:
    """Delete a scan with its findings, their reviews and its runs; returns the number of findings.

    The scan itself goes last, so that a call that was interrupted can be repeated. Suspects, works and the
    allow-list stay. Raises ScanNotFound, and InvalidRequest while it is in progress.
    """
    scans = Scans(state)
    scan = scans.schedule(name, 0)
    if scan.phase is not Phase.IDLE:
        raise InvalidRequest(
            f"the scan {name} is in progress: wait for it, or end it by `facsimile job {scan.job} --cancel`"
        )
    state.refresh()
    deleted = _delete(state, EntryFilter(kind=FINDING, terms={"scan": (name,)}))
    for run in [entry.id for entry in state.all(EntryFilter(kind=RUN, terms={"scan": (name,)}))]:
        Marks(state).delete(run)
        LeftOut(state).delete(run)
    _delete(state, EntryFilter(kind=RUN, terms={"scan": (name,)}))
    state.delete([Ref(KIND, name)])
    state.refresh()
    return deleted


def _delete(state: State, filter: EntryFilter) -> int:
    refs = [entry.ref for entry in state.all(filter)]
    for start in range(0, len(refs), _BATCH):
        state.delete(refs[start : start + _BATCH])
    return len(refs)
