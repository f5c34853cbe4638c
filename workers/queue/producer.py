"""The producer: records the chunks of a job and publishes them, no faster than workers take them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

from facsimile.ingest.item import Item, Outcome, without_words
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import Ref, State
from facsimile.workers.ledger.chunks import Chunk, ChunkMessage, Chunks, QueueName, digest_of
from facsimile.workers.ledger.dead_letters import DeadLetters, letter_of
from facsimile.workers.ledger.kinds import CHUNK
from facsimile.workers.queue.intake import queue_of

#: items of a chunk: enough that its message and its entry cost little beside its items
CHUNK_ITEMS = 96

#: chunks that are recorded and published in one go
TOGETHER = 20

#: seconds between two polls of a full queue
_PAUSE = 0.5

T = TypeVar("T")


class Producer:
    """Submits items to the workers.

    `publish` sends chunks to the broker; `waiting` returns how many it holds, and at `limit` the producer
    pauses.
    """

    def __init__(
        self,
        state: State,
        publish: Callable[[Iterable[ChunkMessage]], None],
        waiting: Callable[[], int],
        *,
        limit: int,
    ) -> None:
        self._state = state
        self._chunks = Chunks(state)
        self._letters = DeadLetters(state)
        self._publish = publish
        self._waiting = waiting
        self._limit = limit

    def produce(
        self,
        job: str,
        items: Iterable[Item | Outcome],
        *,
        recheck: bool = False,
        on_accepted: Callable[[int], None] = lambda count: None,
        on_full: Callable[[], None] = lambda: None,
    ) -> int:
        """Submit the items of a job; returns how many were accepted, those of an earlier call included.

        Memory stays constant for any number. Items that are not in the ledger when this process dies were not
        accepted: the same call with the same job continues, and submits again what has changed.
        """
        accepted = 0
        for batch in _batches(_chunks(job, items, recheck), min(TOGETHER, self._limit)):
            self._wait(on_full)
            for chunk, failed in batch:
                self._letters.put(
                    letter_of(job, chunk.id, len(chunk.items) + place, each, trusted=True)
                    for place, each in enumerate(failed)
                )
            self._publish(self._chunks.record(self._unknown([chunk for chunk, _ in batch])))
            accepted += sum(chunk.accepted for chunk, _ in batch)
            on_accepted(accepted)
        return accepted

    def submit(self, job: str, items: Iterable[Item]) -> None:
        """Submit items that a client waits for, each in a chunk of its own; all are recorded first."""
        chunks = (
            Chunk(id=f"{job}/{place}", job=job, items=(item,), queue=QueueName.LIVE, accepted=1)
            for place, item in enumerate(items)
        )
        for published in [self._chunks.record([chunk]) for chunk in chunks]:
            self._publish(published)

    def _unknown(self, chunks: Sequence[Chunk]) -> list[Chunk]:
        """The chunks that no earlier call recorded; one whose items have changed since gets another id."""
        stored = self._state.get(Ref(CHUNK, chunk.id) for chunk in chunks)
        unknown = []
        for chunk in chunks:
            before = stored.get(Ref(CHUNK, chunk.id))
            if before is None:
                unknown.append(chunk)
                continue
            digest = digest_of(chunk)
            if before.body["digest"] != digest:
                unknown.append(_renamed(chunk, digest))
        return unknown

    def _wait(self, on_full: Callable[[], None]) -> None:
        while self._waiting() >= self._limit:
            on_full()
            time.sleep(_PAUSE)


def _renamed(chunk: Chunk, digest: str) -> Chunk:
    return Chunk(
        id=f"{chunk.id}-{digest[:12]}",
        job=chunk.job,
        items=chunk.items,
        queue=chunk.queue,
        accepted=chunk.accepted,
        trusted=chunk.trusted,
        recheck=chunk.recheck,
    )


def _chunks(
    job: str, items: Iterable[Item | Outcome], recheck: bool
) -> Iterator[tuple[Chunk, list[Outcome]]]:
    """Chunks in the order of the items, each with the failures among its items."""
    number = 0
    chunk: list[Item] = []
    failed: list[Outcome] = []

    def made() -> tuple[Chunk, list[Outcome]]:
        return (
            Chunk(
                id=f"{job}/{number:08}",
                job=job,
                items=tuple(chunk),
                queue=queue_of(chunk),
                accepted=len(chunk) + len(failed),
                trusted=True,
                recheck=recheck,
            ),
            failed,
        )

    for item in items:
        if isinstance(item, Outcome):
            failed.append(item)
        elif fault := next(item.faults(), ""):
            failed.append(Outcome.failed(without_words(item), InvalidRequest(fault)))
        else:
            chunk.append(item.without_data())  # a worker reads the member of an archive by itself
        if len(chunk) + len(failed) >= CHUNK_ITEMS:
            yield made()
            number += 1
            chunk, failed = [], []
    if chunk or failed:
        yield made()


def _batches(chunks: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(chunks)
    while batch := list(islice(iterator, size)):
        yield batch
