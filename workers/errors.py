"""Errors of the queue.

FacsimileError
└── QueueError                    work cannot be handed over, or looked up
    ├── BrokerUnavailable         Redis is down or out of reach (transient)
    ├── JobMissing                there is no job of this id
    ├── JobClosed                 the job takes no more work: it is finished or was cancelled
    ├── ScanMissing               there is no scan, or run of one, of this name
    ├── ScanClaimed               another process carries out the scan
    ├── FindingMissing            there is no finding of this id
    └── AllowanceMissing          the allow-list has no line of this id
"""

from facsimile.imaging.errors import FacsimileError


class QueueError(FacsimileError):
    """Work cannot be handed over, or looked up."""

    exit_code = 1


class BrokerUnavailable(QueueError):
    """Redis is down or out of reach."""

    exit_code = 3
    transient = True


class JobMissing(QueueError):
    """There is no job of this id."""

    exit_code = 2


class JobClosed(QueueError):
    """The job takes no more work: it is finished or was cancelled."""

    exit_code = 2


class ScanMissing(QueueError):
    """There is no scan, or run of one, of this name."""

    exit_code = 2


class ScanClaimed(QueueError):
    """Another process carries out the scan."""


class FindingMissing(QueueError):
    """There is no finding of this id."""

    exit_code = 2


class AllowanceMissing(QueueError):
    """The allow-list has no line of this id."""

    exit_code = 2
