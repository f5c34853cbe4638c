"""Dead letters are put back: their items are worked on once more, in the job that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from itertools import groupby, islice

from facsimile.search.index.state.base import State
from facsimile.workers.ledger.chunks import Chunk, Chunks, Published, Work
from facsimile.workers.ledger.dead_letters import Letter, Letters
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.queue.intake import queue_of
from facsimile.workers.queue.producer import CHUNK_ITEMS


def put_back(state: State, publish: Callable[[Iterable[Published]], None], letters: Iterable[Letter]) -> int:
    """Put letters back, and forget them; how many there were.

    Messages that could not be read stay. A call that dies half way can be repeated: the same letters make
    the same chunk.
    """
    chunks, kept, jobs = Chunks(state), Letters(state), Jobs(state)
    count = 0
    for (job, trusted, work), some in groupby(
        letters, key=lambda letter: (letter.job, letter.trusted, letter.work)
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
                work=Work(work),
                queue=queue_of(items),
                trusted=trusted,
            )
            published = chunks.record([chunk])
            kept.drop(letter.id for letter in batch)
            publish(published)
            count += len(batch)
    return count
