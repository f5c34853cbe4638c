"""Errors of jobs, scans and the queue.

FacsimileError
└── QueueError                    a job cannot be submitted or looked up
    ├── BrokerUnavailable         Redis is down or unreachable (transient)
    ├── JobNotFound               there is no job of this id
    ├── JobClosed                 the job accepts no more images: it is finished or was cancelled
    ├── ScanNotFound              there is no scan, or run of one, of this name
    ├── ScanClaimed               another process runs the scan
    ├── FindingNotFound           there is no finding of this id
    ├── AllowanceNotFound         the allow-list has no entry of this id
    ├── WorkerDied                reading an image killed its worker repeatedly
    └── NotProcessed              an image was not processed before its index was exported
"""

from facsimile.imaging.errors import FacsimileError


class QueueError(FacsimileError):
    """A job cannot be submitted or looked up."""

    exit_code = 1


class BrokerUnavailable(QueueError):
    """Redis is down or unreachable."""

    exit_code = 3
    transient = True


class JobNotFound(QueueError):
    """There is no job of this id."""

    exit_code = 2


class JobClosed(QueueError):
    """The job accepts no more images: it is finished or was cancelled."""

    exit_code = 2


class ScanNotFound(QueueError):
    """There is no scan, or run of one, of this name."""

    exit_code = 2


class ScanClaimed(QueueError):
    """Another process runs the scan."""


class FindingNotFound(QueueError):
    """There is no finding of this id."""

    exit_code = 2


class AllowanceNotFound(QueueError):
    """The allow-list has no entry of this id."""

    exit_code = 2


class WorkerDied(QueueError):
    """Reading an image killed its worker repeatedly."""


class NotProcessed(QueueError):
    """An image was not processed before its index was exported."""
