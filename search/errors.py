"""Errors of keeping and asking; both indices raise the same ones.

FacsimileError
└── StoreError                    an index cannot do what was asked
    ├── IndexUnavailable          the service is down, busy beyond patience, or out of reach (transient)
    ├── IndexReadOnly             the index takes no writes: blocked, or its disk is full (transient)
    ├── IndexRefused              the service refuses these credentials or this certificate
    ├── IndexMissing              there is no index of this name
    ├── IndexExists               there is already one
    ├── IndexMismatch             made by another version, or with other signatures
    └── RecordMissing             no record has this id
└── InvalidRequest                a question or a record that no index could take
"""

from facsimile.imaging.errors import FacsimileError


class StoreError(FacsimileError):
    """An index cannot do what was asked."""

    exit_code = 1


class IndexUnavailable(StoreError):
    """The service is down, out of reach, or stayed busy beyond our patience."""

    exit_code = 3
    transient = True


class IndexReadOnly(StoreError):
    """The index takes no writes at present: it is blocked or its disk is full."""

    exit_code = 3
    transient = True


class IndexRefused(StoreError):
    """The service refuses these credentials or this certificate."""

    exit_code = 3


class IndexMissing(StoreError):
    """There is no index of this name."""

    exit_code = 2


class IndexExists(StoreError):
    """There is already an index of this name."""

    exit_code = 2


class IndexMismatch(StoreError):
    """The index was made by another version or with other signatures; the message says how to re-index."""

    exit_code = 2


class RecordMissing(StoreError):
    """No record has this id."""

    exit_code = 1


class InvalidRequest(FacsimileError):
    """A question or a record that no index could take; the message names the part at fault."""

    exit_code = 2
