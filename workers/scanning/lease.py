"""The lease of a process on the phase of a scan that it runs."""

from __future__ import annotations

from facsimile.workers.errors import ScanClaimed
from facsimile.workers.ledger.chunks import now
from facsimile.workers.scanning.scans import Phase, Scan, Scans


class ScanLease:
    """The lease of a scan that this process runs; `scan` is its newest state.

    It holds for `lease` milliseconds after each renewal. When its process dies it expires, and another
    process takes the scan over, with a job of another id.
    """

    def __init__(self, scans: Scans, scan: Scan, lease: int) -> None:
        self._scans = scans
        self._lease = lease
        self.scan = scan

    def renew(self) -> None:
        """Renew the lease if half of its time is over.

        Raises ScanClaimed where another process has taken it over.
        """
        if self.scan.lease - now() < self._lease // 2:
            self.move(self.scan.phase)

    def move(self, phase: Phase) -> None:
        """Change the phase. Raises ScanClaimed where another process has taken the scan over."""
        while True:
            saved = self._scans.save(self.scan.replaced(phase=phase, lease=now() + self._lease))
            if saved:
                self.scan = saved
                return
            stored = self._scans.get(self.scan.name)
            if (stored.job, stored.phase) != (self.scan.job, self.scan.phase):
                raise ScanClaimed(f"another process runs the scan {stored.name}")
            self.scan = stored  # only the schedule was changed
