"""The short names of the queues on the command line."""

from __future__ import annotations

from facsimile.search.errors import InvalidRequest
from facsimile.workers.ledger.chunks import QueueName


def queue_names(text: str) -> list[str]:
    """`live,compute` as the names of the lists in Redis; raises InvalidRequest for an unknown one."""
    short = {queue.value.rpartition(".")[2]: queue.value for queue in QueueName}
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in short]:
        raise InvalidRequest(f"there is no queue {unknown[0]!r}: there are {', '.join(short)}")
    if not names:
        raise InvalidRequest("name a queue")
    return [short[name] for name in dict.fromkeys(names)]
