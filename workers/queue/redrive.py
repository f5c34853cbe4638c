"""Redrives dead letters: their items are queued again, in the job that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import groupby, islice

from facsimile.search.index.state.base import State
from facsimile.workers.ledger.chunks import Chunk, ChunkKind, ChunkMessage, Chunks
from facsimile.workers.ledger.dead_letters import DeadLetter, DeadLetters
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.queue.intake import queue_of
from facsimile.workers.queue.producer import CHUNK_ITEMS


def redrive(
    state: State, publish: Callable[[Iterable[ChunkMessage]], None], letters: Iterable[DeadLetter]
) -> int:
    """Queue the items of letters again, and delete the letters; returns how many.

    Messages that could not be parsed stay. Idempotent: the same letters make the same chunk.
    """
    chunks, kept, jobs = Chunks(state), DeadLetters(state), Jobs(state)
    count = 0
    for (job, trusted, kind), some in groupby(
        letters, key=lambda letter: (letter.job, letter.trusted, letter.kind)
    ):
        readable = (letter for letter in some if letter.item is not None)
        while batch := list(islice(readable, CHUNK_ITEMS)):
            jobs.reopen(job)
            items = tuple(letter.item for letter in batch if letter.item)
            name = sha256("\n".join(letter.id for letter in batch).encode()).hexdigest()[:16]
            chunk = Chunk(
                id=f"{job}/again-{name}",
                job=job,
                items=items,
                kind=ChunkKind(kind),
                queue=queue_of(items),
                trusted=trusted,
            )
            published = chunks.record([chunk])
            kept.drop(letter.id for letter in batch)
            publish(published)
            count += len(batch)
    return count
