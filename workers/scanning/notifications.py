"""Webhook events about scans."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any

from facsimile.search.index.state.base import State
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.findings import Finding, Findings
from facsimile.workers.scanning.scans import Run, Scan
from facsimile.workers.webhook import Webhooks

#: the event of a finished run
FINISHED = "scan.finished"

#: findings that an event names; the others are counted
NAMED = 100


def announcer(state: State, webhooks: Webhooks) -> Callable[[Scan, Run], None]:
    """A function that announces the end of each run once."""

    def announce(scan: Scan, run: Run) -> None:
        webhooks.announce(run.id, FINISHED, scan.name, lambda: finished_event(state, scan, run))

    return announce


def finished_event(state: State, scan: Scan, run: Run) -> dict[str, Any]:
    """The event: the scan, what the run compared, and what it found that is not allowed."""
    found = Allowances(state).reported(Findings(state).all(run=run.id))
    named = [_named(finding) for finding in islice(found, NAMED)]
    return {
        "scan": {name: value for name, value in scan.as_json().items() if name not in ("phase", "job")},
        "run": {"id": run.id, "program": run.rules.program, **run.counts},
        "new_findings": len(named) + sum(1 for _ in found),
        "findings": named,
    }


def _named(finding: Finding) -> dict[str, Any]:
    data = finding.as_json()
    record = ("id", "collection", "source", "title")
    return {
        **{name: data[name] for name in ("finding", "state", "verdict", "score", "sites")},
        "suspect": {name: finding.suspect[name] for name in record},
        "work": {name: finding.work[name] for name in record},
    }
