"""Many items over several processes: nothing accepted is lost, one bad image never ends a run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import FrameType

from pebble import ProcessExpired, ProcessFuture, ProcessPool

from facsimile.imaging import subprocesses
from facsimile.imaging.decode import Limits
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.ingest.errors import DecoderCrashed, DecoderTimeout
from facsimile.ingest.item import Item, Outcome, Tally
from facsimile.ingest.loader import THREADS, Loader
from facsimile.ingest.open_source import is_remote
from facsimile.ingest.pipeline import StageTimings, process
from facsimile.search.errors import StoreError
from facsimile.search.index.base import Index

#: items of a chunk: enough that messages cost nothing, few enough that progress is smooth
CHUNK_ITEMS = 48

#: bytes of a chunk's images, as far as they are known; a child holds one chunk
CHUNK_BYTES = 64 << 20

#: chunks on their way for each process: one at work, one waiting
AHEAD = 2

#: seconds that chunks on their way may take to end after an interrupt
GRACE = 30.0


def hashes_alone(index: Index) -> None:
    """No model, for an index that keeps no vectors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSetup:
    """What a child process needs: how to open its index and its loader, and what to do with a chunk.

    All of it can be pickled. `run` is there for tests that need a fault.
    """

    open_index: Callable[[], Index]
    open_loader: Callable[[], Loader] = Loader
    open_model: Callable[[Index], Model | None] = hashes_alone
    limits: Limits = field(default_factory=Limits)
    recheck: bool = False
    run: Callable[..., list[Outcome]] = process


def run(
    items: Iterable[Item | Outcome],
    work: IngestSetup,
    *,
    jobs: int,
    on_outcome: Callable[[Outcome], None] | None = None,
    item_seconds: float = 60.0,
    patience: float = 120.0,
    on_wait: Callable[[StoreError], None] | None = None,
    timings: StageTimings | None = None,
) -> Tally:
    """Bring items into an index by `jobs` child processes; outcomes among the items are only counted.

    Memory stays flat for any number of items. A chunk that ends its process or outlasts its time is tried
    again item by item, so that only the image at fault fails. An index that goes away after it has taken a
    chunk is tried again for `patience` seconds, and `on_wait` is called each time; then its error is raised.
    The first Ctrl-C lets the chunks on their way end and returns an interrupted tally, the second raises
    KeyboardInterrupt. Since writes can be repeated, the next run continues where this one ended.
    """
    with _interrupts() as interrupted, _Pool(work, jobs, item_seconds, patience, on_wait) as pool:
        tally = Tally()

        def tell(outcomes: Iterable[Outcome]) -> None:
            for outcome in outcomes:
                tally.count(outcome)
                if on_outcome is not None:
                    on_outcome(outcome)

        for chunk in _chunks(items, tell):
            while pool.full and not interrupted.is_set():
                tell(pool.finished())
            if interrupted.is_set():
                break
            pool.add(chunk)
        give_up = None
        while pool.busy:
            if interrupted.is_set():
                give_up = give_up or time.monotonic() + GRACE
                if time.monotonic() > give_up:
                    break
            tell(pool.finished())
        tally.interrupted = interrupted.is_set()
        if timings is not None:
            timings.add(pool.timings)
        return tally


def _chunks(
    items: Iterable[Item | Outcome], tell: Callable[[Iterable[Outcome]], None]
) -> Iterator[list[Item]]:
    chunk: list[Item] = []
    size = 0
    for item in items:
        if isinstance(item, Outcome):
            tell([item])
            continue
        chunk.append(item)
        size += _size(item)
        if len(chunk) == CHUNK_ITEMS or size >= CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def portions(items: Iterable[Item]) -> Iterator[list[Item]]:
    """Items by as many as are worked on in one go: bounded in number, and in bytes where these are known."""
    return _chunks(items, lambda outcomes: None)


def _size(item: Item) -> int:
    if item.data is not None:
        return len(item.data)
    try:
        return 0 if is_remote(item.source) else os.stat(item.source).st_size  # noqa: PTH116
    except OSError:
        return 0


@contextmanager
def _interrupts() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second raises. Only the main thread can ask for this."""
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return

    def handle(number: int, frame: FrameType | None) -> None:
        if interrupted.is_set():
            raise KeyboardInterrupt
        interrupted.set()

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, before)


class _Pool:
    """Chunks on their way through child processes, and those that have to go again."""

    def __init__(
        self,
        work: IngestSetup,
        jobs: int,
        item_seconds: float,
        patience: float,
        on_wait: Callable[[StoreError], None] | None,
    ) -> None:
        self._pool = ProcessPool(
            jobs, initializer=_begin, initargs=(work,), context=subprocesses.quick(__name__)
        )
        self._room = jobs * AHEAD
        self._item_seconds = item_seconds
        self._patience = patience
        self._on_wait = on_wait
        self._reached = False
        self._down_since: float | None = None
        self._running: dict[ProcessFuture[tuple[list[Outcome], StageTimings]], list[Item]] = {}
        self._again: deque[list[Item]] = deque()
        self.timings = StageTimings()

    @property
    def full(self) -> bool:
        return len(self._running) + len(self._again) >= self._room

    @property
    def busy(self) -> bool:
        return bool(self._running or self._again)

    def add(self, chunk: list[Item]) -> None:
        remote = sum(is_remote(item.source) for item in chunk)
        limit = self._item_seconds * (1 + remote / THREADS)
        self._running[self._pool.schedule(_work, args=(chunk,), timeout=limit)] = chunk

    def finished(self) -> Iterator[Outcome]:
        """What has ended within the next moment; raises the index's error after our patience."""
        while self._again and len(self._running) < self._room:
            self.add(self._again.popleft())
        wait(self._running, timeout=0.2, return_when=FIRST_COMPLETED)
        for future in [future for future in self._running if future.done()]:
            chunk = self._running.pop(future)
            error = future.exception()
            if error is None:
                outcomes, timings = future.result()
                self._reached = True
                self._down_since = None
                self.timings.add(timings)
                yield from outcomes
            elif isinstance(error, StoreError) and error.transient:
                self._again.append(chunk)
                self._pause(error)
            elif isinstance(error, FacsimileError):
                raise error
            elif len(chunk) > 1:
                self._again.extend([item] for item in chunk)
            else:
                yield Outcome.failed(chunk[0], self._fault(error))

    def _fault(self, error: BaseException) -> FacsimileError:
        """What an item did that was alone when its process met this error."""
        if isinstance(error, TimeoutError):
            return DecoderTimeout(f"reading it took longer than {self._item_seconds:g} seconds")
        if isinstance(error, ProcessExpired):
            return DecoderCrashed("the decoder crashed on it")
        return DecoderCrashed(f"the decoder failed on it ({type(error).__name__}: {error})")

    def _pause(self, error: StoreError) -> None:
        now = time.monotonic()
        self._down_since = self._down_since or now
        down = now - self._down_since
        if not self._reached or down >= self._patience:
            raise error
        if self._on_wait is not None:
            self._on_wait(error)
        time.sleep(min(0.5 + down / 4, 10.0, self._patience - down))

    def __enter__(self) -> _Pool:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()


@dataclass(slots=True)
class _BulkChild:
    """What a child process keeps from chunk to chunk, opened with the first."""

    work: IngestSetup
    index: Index | None = None
    loader: Loader | None = None
    model: Model | None = None


_child: _BulkChild


def _begin(work: IngestSetup) -> None:
    global _child  # noqa: PLW0603 - a process pool's initializer has no other way
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    _child = _BulkChild(work)


def _work(chunk: list[Item]) -> tuple[list[Outcome], StageTimings]:
    work = _child.work
    # opened here and not when the process begins, so that an index out of reach is this chunk's error
    if _child.index is None:
        _child.index = work.open_index()
        _child.model = work.open_model(_child.index)
    loader = _child.loader = _child.loader or work.open_loader()
    timings = StageTimings()
    outcomes = work.run(
        chunk,
        index=_child.index,
        loader=loader,
        model=_child.model,
        limits=work.limits,
        recheck=work.recheck,
        timings=timings,
    )
    return outcomes, timings
