"""Work for many hosts in a bounded number of threads, few at a time for each host."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")

#: what waits: its future and the work
Waiting = tuple[Future[Any], Callable[[], Any]]


class HostPool:
    """Runs at most `per_host` pieces of work for one host at a time; those that wait for their host hold no
    thread, so that a slow host does not take the threads from the others.
    """

    def __init__(self, threads: int, per_host: int) -> None:
        self._per_host = per_host
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="fetch")
        self._lock = threading.Lock()
        self._busy: Counter[str] = Counter()
        self._waiting: dict[str, deque[Waiting]] = {}

    def submit(self, host: str, work: Callable[[], T]) -> Future[T]:
        """The answer to come. Cancelling takes work that waits out of the line."""
        future: Future[T] = Future()
        with self._lock:
            self._waiting.setdefault(host, deque()).append((future, work))
        self._start(host)
        return future

    def _start(self, host: str) -> None:
        """Begin what the host's limit allows."""
        with self._lock:
            line = self._waiting.get(host, deque())
            while line and self._busy[host] < self._per_host:
                future, work = line.popleft()
                if future.set_running_or_notify_cancel():
                    self._busy[host] += 1
                    self._threads.submit(self._run, host, future, work)
            if not line:
                self._waiting.pop(host, None)
            if not self._busy[host]:
                del self._busy[host]

    def _run(self, host: str, future: Future[Any], work: Callable[[], Any]) -> None:
        try:
            answer = work()
        except BaseException as error:
            self._end(host)
            future.set_exception(error)
        else:
            self._end(host)
            future.set_result(answer)

    def _end(self, host: str) -> None:
        with self._lock:
            self._busy[host] -= 1
        self._start(host)

    def close(self) -> None:
        """Wait for the work that has begun, and cancel what waits."""
        with self._lock:
            waiting = [future for line in self._waiting.values() for future, _ in line]
            self._waiting.clear()
        for future in waiting:
            future.cancel()
            future.set_running_or_notify_cancel()
        self._threads.shutdown()
