"""Turns messages of other services into chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from facsimile.ingest.errors import MessageError
from facsimile.ingest.item import Item
from facsimile.ingest.message import parse
from facsimile.ingest.open_source import is_remote
from facsimile.search.index.state.base import State
from facsimile.workers.ledger.chunks import Chunk, ChunkMessage, Chunks, QueueName
from facsimile.workers.ledger.dead_letters import DeadLetters, unreadable_letter
from facsimile.workers.ledger.jobs import INTAKE, Jobs
from facsimile.workers.queue.broker import Broker

#: messages that become one chunk
TOGETHER = 48

#: bytes of the images in messages that become one chunk, below what an entry of the state may hold as base64
MOST_BYTES = 10_000_000

#: chunks that one call makes at most; the next call continues
MOST = 50


def gather(
    state: State,
    broker: Broker,
    publish: Callable[[Iterable[ChunkMessage]], None],
    *,
    max_inline_bytes: int,
    trusted: bool,
) -> int:
    """Turn the waiting messages into chunks, and publish these; returns the number of messages.

    A message leaves Redis only when its item, or its dead letter, is in the state of the index.
    """
    chunks, letters = Chunks(state), DeadLetters(state)
    count = 0
    for _ in range(MOST):
        with broker.taken(TOGETHER) as (token, messages):
            if not messages:
                break
            Jobs(state).start(INTAKE)
            items: list[Item] = []
            for place, message in enumerate(messages):
                try:
                    items.append(parse(message, max_inline_bytes=max_inline_bytes))
                except MessageError as error:
                    letters.put(
                        [unreadable_letter(INTAKE, f"{INTAKE}/{token}#m{place}", message, str(error))]
                    )
            published: list[ChunkMessage] = []
            accepted = len(messages)
            for number, some in enumerate(_portions(items)):
                published += chunks.record(
                    [
                        Chunk(
                            id=f"{INTAKE}/{token}" + (f"-{number}" if number else ""),
                            job=INTAKE,
                            items=some,
                            queue=queue_of(some),
                            accepted=accepted,
                            trusted=trusted,
                        )
                    ]
                )
                accepted = 0
        publish(published)
        count += len(messages)
    return count


def refuse(state: State, id: str, message: bytes, reason: str) -> None:
    """Store a message from a list of Celery that is not a task as a dead letter."""
    Jobs(state).start(INTAKE)
    DeadLetters(state).put([unreadable_letter(INTAKE, f"{INTAKE}/{id}#m0", message, reason)])
    chunk = Chunk(
        id=f"{INTAKE}/{id}", job=INTAKE, items=(), queue=QueueName.COMPUTE, accepted=1, trusted=False
    )
    Chunks(state).record([chunk])


def _portions(items: Iterable[Item]) -> Iterator[tuple[Item, ...]]:
    """The items in portions that fit into one entry of the ledger with their images; at least one portion."""
    portion: list[Item] = []
    size = 0
    for item in items:
        bytes_ = len(item.data or b"")
        if portion and size + bytes_ > MOST_BYTES:
            yield tuple(portion)
            portion, size = [], 0
        portion.append(item)
        size += bytes_
    yield tuple(portion)


def queue_of(items: Iterable[Item]) -> QueueName:
    """The queue of these items: fetching mostly waits, other chunks mostly compute."""
    remote = any(item.data is None and is_remote(item.source) for item in items)
    return QueueName.FETCH if remote else QueueName.COMPUTE
