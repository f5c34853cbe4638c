"""Errors of indexing and searching; both kinds of index raise the same ones.

FacsimileError
├── StoreError                    an index cannot do what was asked
│   ├── IndexUnavailable          the service is down, unreachable, or too busy for too long (transient)
│   ├── IndexReadOnly             the index takes no writes: blocked, or its disk is full (transient)
│   ├── IndexAuthError            the service rejects these credentials or this certificate
│   ├── IndexNotFound             there is no index of this name
│   ├── IndexAlreadyExists        there is already one
│   ├── IndexMismatch             made by another version, or with other signatures
│   ├── RecordNotFound            no record has this id
│   └── AmbiguousId               several collections have a record of this id
└── InvalidRequest                a query or a record that no index accepts
"""

from collections.abc import Iterable

from facsimile.imaging.errors import FacsimileError


class StoreError(FacsimileError):
    """An index cannot do what was asked."""

    exit_code = 1


class IndexUnavailable(StoreError):
    """The service is down, unreachable, or stayed busy until the timeout."""

    exit_code = 3
    transient = True


class IndexReadOnly(StoreError):
    """The index accepts no writes at present: it is blocked or its disk is full."""

    exit_code = 3
    transient = True


class IndexAuthError(StoreError):
    """The service rejects these credentials or this certificate."""

    exit_code = 3


class IndexNotFound(StoreError):
    """There is no index of this name."""

    exit_code = 2


class IndexAlreadyExists(StoreError):
    """There is already an index of this name."""

    exit_code = 2


class IndexMismatch(StoreError):
    """The index was made by another version or with other signatures; the message says how to re-index."""

    exit_code = 2


class RecordNotFound(StoreError):
    """No record has this id."""

    exit_code = 1


class AmbiguousId(StoreError):
    """Several collections have a record of this id; `collections` names them."""

    exit_code = 2

    def __init__(self, sentence: str, collections: Iterable[str] = ()) -> None:
        super().__init__(sentence)
        self.collections = tuple(collections)


class InvalidRequest(FacsimileError):
    """A query or a record that no index accepts; the message names the invalid part."""

    exit_code = 2


class MethodUnavailable(FacsimileError):
    """A library or a file that a method needs is missing here; the message says how to install it."""

    exit_code = 2
