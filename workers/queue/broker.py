"""Access to Redis beside Celery: the lengths of the queues, and the list of messages of other services."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import redis

from facsimile.workers.errors import BrokerUnavailable
from facsimile.workers.ledger.chunks import QueueName
from facsimile.workers.logging import without_secrets

#: the list to which other services push messages
INTAKE = "facsimile:intake"

#: lists of messages that were taken from there and are not in the ledger yet
_TAKEN = "facsimile:intake:taken"

#: seconds after which a list that was taken belongs to a process that died
_ABANDONED = 30

#: Celery's own hash of messages that workers hold
_UNACKED = "unacked"


class Broker:
    """The Redis server behind the queue; connects with the first call."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._redis = redis.Redis.from_url(
            url, socket_timeout=15, socket_connect_timeout=5, health_check_interval=15
        )

    def waiting(self) -> int:
        """The number of messages of chunks that wait for a worker.

        Those that workers have taken do not count: the ledger knows which chunks are in progress, and Celery
        keeps the messages of a dead worker for a long time.
        """
        lengths = self.lengths()
        return sum(lengths[queue.value] for queue in QueueName if queue is not QueueName.MAINTENANCE)

    def lengths(self) -> dict[str, int]:
        """The messages in each queue, and of those that workers have taken (`unacked`)."""
        names = [queue.value for queue in QueueName]
        with self._translated():
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.llen(name)
            pipeline.hlen(_UNACKED)
            return dict(zip([*names, "unacked"], pipeline.execute(), strict=True))

    def push(self, message: bytes) -> None:
        """Append the message of another service to the intake list."""
        with self._translated():
            self._redis.rpush(INTAKE, message)

    def intake(self) -> int:
        """The number of messages of other services that wait."""
        with self._translated():
            return int(self._redis.llen(INTAKE))

    @contextmanager
    def taken(self, most: int) -> Iterator[tuple[str, list[bytes]]]:
        """A token and up to `most` messages, which are deleted only when the block succeeds.

        Where a process dies in the block, a later call returns the same messages with the same token.
        """
        with self._translated():
            name = self._abandoned() or self._take(most)
            messages = cast("list[bytes]", self._redis.lrange(name, 0, -1)) if name else []
        yield name.rpartition(":")[2], messages
        if name:
            with self._translated():
                pipeline = self._redis.pipeline(transaction=True)
                pipeline.delete(name)
                pipeline.zrem(_TAKEN, name)
                pipeline.execute()

    def _abandoned(self) -> str:
        before = time.time() - _ABANDONED
        found = cast("list[bytes]", self._redis.zrangebyscore(_TAKEN, 0, before, start=0, num=1))
        if not found:
            return ""
        name = found[0].decode("ascii")
        self._redis.zadd(_TAKEN, {name: time.time()})
        return name

    def _take(self, most: int) -> str:
        if not self._redis.llen(INTAKE):
            return ""
        name = f"{_TAKEN}:{time.time_ns() // 1_000_000}-{secrets.token_hex(4)}"
        pipeline = self._redis.pipeline(transaction=True)
        pipeline.zadd(_TAKEN, {name: time.time()})
        for _ in range(most):
            pipeline.lmove(INTAKE, name, src="LEFT", dest="RIGHT")
        pipeline.execute()
        return name

    def ping(self) -> None:
        """Raise BrokerUnavailable if Redis does not respond."""
        with self._translated():
            self._redis.ping()

    def close(self) -> None:
        """Close the connections."""
        self._redis.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except redis.RedisError as error:
            place = without_secrets(self._url)
            raise BrokerUnavailable(f"cannot use Redis at {place}: {' '.join(str(error).split())}") from None
