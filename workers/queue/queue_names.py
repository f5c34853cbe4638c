"""The names of the queues, as people write them."""

from __future__ import annotations

from facsimile.search.errors import InvalidRequest
from facsimile.workers.ledger.chunks import Queue


def queue_names(text: str) -> list[str]:
    """`live,compute` as the names that Redis has; raises InvalidRequest for one that is none."""
    short = {queue.value.rpartition(".")[2]: queue.value for queue in Queue}
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in short]:
        raise InvalidRequest(f"there is no queue {unknown[0]!r}: there are {', '.join(short)}")
    if not names:
        raise InvalidRequest("name a queue")
    return [short[name] for name in dict.fromkeys(names)]
