"""Many writes in a few requests: bounded in bytes, and only what the server was too busy for tried again."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import orjson

from facsimile.imaging.record import ImageRecord
from facsimile.search.index.base import Known
from facsimile.search.index.elastic.client import BLOCKED, MISSING, ElasticClient, fault
from facsimile.search.index.elastic.documents import document, document_id
from facsimile.search.retry import Backoff

#: bytes of one request; Elasticsearch refuses 100 MB, and works best far below
BULK_BYTES = 8_000_000

#: seconds for which items that the server is too busy for are tried again, and the longest pause between
PATIENCE = 60.0
BACKOFF = Backoff(first=0.2, longest=2.0)

#: what is read of the outcome of each write
_PARTS = ("status", "error.type", "error.reason", "_seq_no", "_primary_term")

#: one write: the lines of its action and its document
BulkOperation = tuple[bytes, ...]

T = TypeVar("T")


class Done(NamedTuple):
    """What became of one write: its HTTP status, and the kind and text of an error.

    `version` holds the sequence number and the term of what was written.
    """

    status: int
    kind: str = ""
    reason: str = ""
    version: tuple[int, int] | None = None

    @property
    def blocked(self) -> bool:
        return self.kind == BLOCKED

    @property
    def busy(self) -> bool:
        return self.status in (429, 503) and not self.blocked


def writing(record: ImageRecord, before: Known | None) -> BulkOperation:
    """Write a record if what is stored is still what was known, None being nothing."""
    action: dict[str, Any] = {"_id": document_id(record.key)}
    if before is not None:
        action["if_seq_no"], action["if_primary_term"] = before.version
    return _operation("create" if before is None else "index", action, record)


def copying(record: ImageRecord, version: int) -> BulkOperation:
    """Write a record as this version of it, over whatever is stored but a later one."""
    action = {"_id": document_id(record.key), "version": version, "version_type": "external_gte"}
    return _operation("index", action, record)


def deleting(id: str) -> BulkOperation:
    """Delete the document of this id, whatever it is."""
    return (orjson.dumps({"delete": {"_id": id}}),)


def _operation(name: str, action: dict[str, Any], record: ImageRecord) -> BulkOperation:
    return orjson.dumps({name: action}), orjson.dumps(document(record))


def bulk(client: ElasticClient, alias: str, operations: Sequence[BulkOperation]) -> list[Done]:
    """Carry the writes out; the answer has one outcome for each, in their order.

    The alias must exist: without that, Elasticsearch would make an index of this name by guessing a mapping.
    """
    outcomes: dict[int, Done] = {}
    waiting: Sequence[int] = range(len(operations))
    deadline = time.monotonic() + PATIENCE
    for attempt in itertools.count(1):
        for some in runs(waiting, lambda position: _size(operations[position]), BULK_BYTES):
            lines: list[Any] = [line for position in some for line in operations[position]]
            answer = client.bulk(
                index=alias,
                operations=lines,
                require_alias=True,
                filter_path=",".join(f"items.*.{part}" for part in _PARTS),
            )
            with client.reading():
                items = zip(some, answer["items"], strict=True)
                outcomes |= {position: _done(client, item) for position, item in items}
        waiting = [position for position in waiting if outcomes[position].busy]
        if not waiting or time.monotonic() > deadline:
            break
        time.sleep(BACKOFF.pause(attempt))
    return [outcomes[position] for position in range(len(operations))]


def _done(client: ElasticClient, item: Mapping[str, Any]) -> Done:
    (result,) = item.values()
    error = result.get("error", {})
    status = int(result["status"])
    if error.get("type") == MISSING:
        raise fault(status, error, client.server)
    if error:
        return Done(status, error.get("type", ""), error.get("reason", ""))
    return Done(status, version=(result["_seq_no"], result["_primary_term"]))


def _size(operation: BulkOperation) -> int:
    return sum(len(line) + 1 for line in operation)


def runs(items: Iterable[T], size_of: Callable[[T], int], most: int) -> Iterator[list[T]]:
    """The items in runs whose sizes add up to `most` at most; one that is larger goes alone."""
    run: list[T] = []
    total = 0
    for item in items:
        size = size_of(item)
        if run and total + size > most:
            yield run
            run, total = [], 0
        run.append(item)
        total += size
    if run:
        yield run
