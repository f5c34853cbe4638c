"""Bounded thread pools with bounded queues, for blocking work off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, TypeVar

from facsimile.api.metrics import Metrics
from facsimile.api.problems import OVERLOADED, TIMED_OUT, Problem

T = TypeVar("T")


class BoundedSlots:
    """A bounded number of places for one kind of work that others do.

    Where there is none a request is turned away at once, so that those who are let in have a bounded wait.
    `of` names whom the work depends on, a slow host say, who may hold no more places than are left free: one
    alone gets half of them, and never all. Work that takes too long is answered with an error, but keeps its
    place until it really ends: to begin other work in its place would let the load grow without bound.
    """

    def __init__(self, name: str, *, most: int, seconds: float, metrics: Metrics) -> None:
        self._name = name
        self._most = most
        self._seconds = seconds
        self._metrics = metrics
        self._taken = 0
        self._of: Counter[str] = Counter()
        self._begun: set[Future[Any]] = set()

    async def hold(self, begin: Callable[[], Future[T]], of: str = "") -> T:
        """What the future has in the end. Raises Problem where there is no place or the time is over;
        cancelling the caller cancels work that has not begun."""
        if self._taken >= self._most or (of and self._of[of] >= self._most - self._taken):
            self._metrics.refused(self._name)
            waiting = f"{self._of[of]} requests wait for {of}" if of else f"{self._taken} requests wait"
            raise Problem(OVERLOADED, f"{waiting} in the stage {self._name!r}")
        loop = asyncio.get_running_loop()

        def left(done: Future[T]) -> None:
            loop.call_soon_threadsafe(self._count, of, -1)

        self._count(of, 1)
        start = time.perf_counter()
        future = begin()
        self._begun.add(future)
        future.add_done_callback(self._begun.discard)
        future.add_done_callback(left)
        try:
            async with asyncio.timeout(self._seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError:
            raise Problem(TIMED_OUT, f"the stage {self._name!r} took over {self._seconds:g} s") from None
        finally:
            self._metrics.stage(self._name, time.perf_counter() - start)

    def _count(self, of: str, change: int) -> None:
        self._taken += change
        self._of[of] += change
        if not self._of[of]:
            del self._of[of]
        self._metrics.taken(self._name, self._taken)

    def close(self, deadline: float) -> bool:
        """Drop what waits, and wait until the deadline for what has begun; whether it came to its end."""
        begun = set(self._begun)
        waiting = {future for future in begun if not future.cancel()}
        return not wait(waiting, max(0.0, deadline - time.monotonic())).not_done


class Stage:
    """Runs one kind of work in a few threads, with a bounded line before them (see `BoundedSlots`)."""

    def __init__(self, name: str, *, threads: int, line: int, seconds: float, metrics: Metrics) -> None:
        self._places = BoundedSlots(name, most=threads + line, seconds=seconds, metrics=metrics)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[..., T], *args: Any) -> T:
        """What the work returns. Raises as `BoundedSlots.hold`."""
        return await self._places.hold(partial(self._threads.submit, work, *args))

    def close(self, deadline: float) -> bool:
        """Drop what waits, and wait until the deadline for what has begun; whether it came to its end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        return self._places.close(deadline)
