"""Work that blocks, off the event loop: so much at a time, so much waiting, and no more."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, TypeVar

from search.api.metrics import Metrics
from search.api.problems import BUSY, TOO_LONG, Problem

T = TypeVar("T")


class Stage:
    """Runs one kind of work in a few threads, with a bounded line before them.

    Beyond the line a request is turned away at once, so that those who are let in have a bounded wait. Work
    that takes too long is answered with an error, but keeps its thread until it really ends: a thread cannot
    be stopped, and to start another in its place would let the load grow without bound.
    """

    def __init__(self, name: str, *, threads: int, line: int, seconds: float, metrics: Metrics) -> None:
        self._name = name
        self._most = threads + line
        self._seconds = seconds
        self._metrics = metrics
        self._taken = 0
        self._begun: set[Future[Any]] = set()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """What the work returns. Raises Problem where the line is full or the time is over; cancelling the
        caller takes the work out of the line."""
        if self._taken >= self._most:
            self._metrics.refused(self._name)
            raise Problem(BUSY, f"{self._taken} requests wait for the stage {self._name!r}")
        loop = asyncio.get_running_loop()

        def left(done: Future[T]) -> None:
            loop.call_soon_threadsafe(self._leave)

        self._enter()
        start = time.perf_counter()
        future = self._threads.submit(work, *args)
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        future.add_done_callback(left)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Problem(TOO_LONG, f"the stage {self._name!r} took over {self._seconds:g} s") from None
        finally:
            self._metrics.stage(self._name, time.perf_counter() - start)

    def _enter(self) -> None:
        self._taken += 1
        self._metrics.taken(self._name, self._taken)

    def _leave(self) -> None:
        self._taken -= 1
        self._metrics.taken(self._name, self._taken)

    def close(self, deadline: float) -> bool:
        """Drop what waits, and wait until the deadline for what has begun; whether it came to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        return not wait(set(self._begun), max(0.0, deadline - time.monotonic())).not_done
