"""The watchdog of a chunk in progress: renews its lease, kills the process if an image takes too long."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from facsimile.search.errors import StoreError
from facsimile.workers.ledger.chunks import ChunkLease
from facsimile.workers.logging import logger

log = logger(__name__)


class Guard:
    """Watches one chunk from a thread of its own while the block runs; `renew` renews its lease.

    A decoder that hangs cannot be interrupted, so its process kills itself: the chunk is then reclaimed, as
    after a crash. Waiting for the index does not count as hanging.
    """

    def __init__(self, claim: ChunkLease, renew: Callable[[ChunkLease], object], lease: float) -> None:
        self._claim = claim
        self._renewal = renew
        self._every = lease / 6  # several renewals may fail before the lease expires
        self._deadline: float | None = None
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """The block has to end within `seconds`."""
        self._deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = None

    def _watch(self) -> None:
        while not self._ended.wait(self._every / 5):
            if self._deadline is not None and time.monotonic() > self._deadline:
                log.error("image_timed_out", action="this process kills itself", chunk=self._claim.chunk.id)
                os.kill(os.getpid(), signal.SIGKILL)
            if time.monotonic() - self._renewed >= self._every:
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            try:
                self._renewal(self._claim)
            except StoreError:  # retried at the next check
                return
            self._renewed = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with self._lock:  # wait for a renewal in progress, so that the version of the lease is final
            pass
