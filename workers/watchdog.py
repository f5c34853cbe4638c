"""The guard of a chunk at work: renews its lease, and ends the process where an image holds it for ever."""

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
from facsimile.workers.ledger.chunks import Claim
from facsimile.workers.logging import logger

log = logger(__name__)


class Guard:
    """Watches one chunk from a thread of its own while the block runs; `renew` renews its lease.

    A decoder that hangs cannot be interrupted, so its process ends itself: the chunk is then taken back, as
    after a crash. Waiting for the index does not count as hanging.
    """

    def __init__(self, claim: Claim, renew: Callable[[Claim], object], lease: float) -> None:
        self._claim = claim
        self._renewal = renew
        self._every = lease / 6  # a lease outlives some that fail
        self._deadline: float | None = None
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._watch, name="guard", daemon=True)

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """The block has to end within so many seconds."""
        self._deadline = time.monotonic() + seconds
        try:
            yield
        finally:
            self._deadline = None

    def _watch(self) -> None:
        while not self._ended.wait(self._every / 5):
            if self._deadline is not None and time.monotonic() > self._deadline:
                log.error("an image took too long; ending this process", chunk=self._claim.chunk.id)
                os.kill(os.getpid(), signal.SIGKILL)
            if time.monotonic() - self._renewed >= self._every:
                self._renew()

    def _renew(self) -> None:
        with self._lock:
            if self._ended.is_set():
                return
            try:
                self._renewal(self._claim)
            except StoreError:  # tried again at the next look; whoever writes the outcome waits for the index
                return
            self._renewed = time.monotonic()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        with self._lock:  # from here on the claim's version is the one that counts
            pass
