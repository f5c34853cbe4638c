"""Processes one chunk: take its lease, ingest it or call its handler, record the outcomes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol, TypeVar

from facsimile.imaging.decode import Limits
from facsimile.imaging.models.base import Model
from facsimile.ingest.bulk import hashes_alone, portions
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import THREADS, Loader
from facsimile.ingest.open_source import is_remote
from facsimile.ingest.pipeline import StageTimings, process
from facsimile.search.errors import IndexMismatch, IndexNotFound, StoreError
from facsimile.search.index.base import Index, Status
from facsimile.search.retry import Backoff
from facsimile.workers import metrics
from facsimile.workers.ledger.chunks import LEASE, Chunk, ChunkKind, ChunkLease, ChunkMessage, Chunks
from facsimile.workers.logging import bind_context, logger
from facsimile.workers.watchdog import Guard

#: the longest pause between attempts while the index is unavailable, in seconds, and all pauses
_LONGEST_PAUSE = 10.0
_BACKOFF = Backoff(first=0.5, longest=_LONGEST_PAUSE, jitter=(0.5, 1.0))

T = TypeVar("T")

log = logger(__name__)


class Flag(Protocol):
    """An event of a thread or of several processes."""

    def wait(self, timeout: float) -> bool:
        """Whether it is set, or comes to be within so many seconds."""


class Stopping(Exception):
    """The worker shuts down while it waits for the index."""


#: processes a chunk whose items are all in the index already; returns one outcome per item. Raises the errors
#: of `facsimile.search.errors` where the index as a whole fails, and is then called again
Handler = Callable[[Chunk, Index, Limits, Model | None], list[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerDeps:
    """Dependencies of a worker process, opened in the process that uses them, with the first chunk.

    `open_loader` takes whether items may name local files. `handlers` process chunks of other kinds than
    ingest. `item_seconds` is the time limit of one image.
    """

    open_index: Callable[[], Index]
    open_loader: Callable[[bool], Loader]
    handlers: Mapping[ChunkKind, Handler] = field(default_factory=dict)
    open_model: Callable[[Index], Model | None] = hashes_alone
    limits: Limits = field(default_factory=Limits)
    item_seconds: float = 60.0
    lease: float = LEASE


class ChunkWorker:
    """Processes chunks; keeps the index, loaders and model of its process open between them."""

    def __init__(self, deps: WorkerDeps, stopping: Flag) -> None:
        self._deps = deps
        self._stopping = stopping
        self._index: Index | None = None
        self._model: Model | None = None
        self._loaders: dict[bool, Loader] = {}

    def run(self, id: str, holder: str) -> list[ChunkMessage]:
        """Process a chunk to its end; returns the chunks to publish. Waits while the index is unavailable."""
        claim = self.retry_while_unavailable(lambda: self._chunks().claim(id, holder))
        if not isinstance(claim, ChunkLease):
            return claim
        with bind_context(job=claim.chunk.job, chunk=claim.chunk.id):
            return self._work(claim)

    def _work(self, claim: ChunkLease) -> list[ChunkMessage]:
        chunk = claim.chunk
        start = time.monotonic()
        try:
            with Guard(claim, self._renew, self._deps.lease) as guard:
                outcomes = self._outcomes(chunk, guard)
            counted = self.retry_while_unavailable(lambda: self._chunks().finish(claim, outcomes))
        except Stopping:
            log.warning("chunk_abandoned", reason="the worker stopped while the index was unavailable")
            raise
        seconds = time.monotonic() - start
        for outcome in outcomes:
            if outcome.status is Status.FAILED:
                log.warning(
                    "item_failed",
                    item=outcome.item.id or outcome.item.source,
                    reason=outcome.reason,
                    transient=outcome.transient,
                )
        metrics.chunk(outcomes, seconds, counted=counted, tries=chunk.tries)
        log.info(
            "chunk_finished",
            items=len(outcomes),
            seconds=round(seconds, 3),
            counted=counted,
            tries=chunk.tries,
        )
        return []

    def _outcomes(self, chunk: Chunk, guard: Guard) -> list[Outcome]:
        """The outcome of each item; portions that are finished when the index fails are not repeated."""
        if chunk.kind is not ChunkKind.INGEST:
            return self.retry_while_unavailable(partial(self._compared, chunk))
        outcomes: list[Outcome] = []
        for items in portions(chunk.items):
            outcomes += self.retry_while_unavailable(partial(self._processed, chunk, items, guard))
        return outcomes

    def _compared(self, chunk: Chunk) -> list[Outcome]:
        index = self.index  # opened with its model
        return self._deps.handlers[chunk.kind](chunk, index, self._deps.limits, self._model)

    def _processed(self, chunk: Chunk, items: list[Item], guard: Guard) -> list[Outcome]:
        index = self.index
        remote = sum(is_remote(item.source) for item in items)
        timings = StageTimings()
        with guard.limit(self._deps.item_seconds * (1 + remote / THREADS)):
            outcomes = process(
                items,
                index=index,
                loader=self._loader(chunk.trusted),
                limits=self._deps.limits,
                model=self._model,
                recheck=chunk.recheck,
                timings=timings,
            )
        metrics.stages(timings)
        return outcomes

    def _chunks(self) -> Chunks:
        return Chunks(self.index.state, self._deps.lease)

    def _renew(self, claim: ChunkLease) -> None:
        if index := self._index:  # else it is being opened again, in the other thread
            Chunks(index.state, self._deps.lease).renew(claim)

    @property
    def index(self) -> Index:
        """The index, opened at its first use."""
        if self._index is None:
            index = self._deps.open_index()
            self._model = self._deps.open_model(index)
            self._index = index
        return self._index

    def _loader(self, trusted: bool) -> Loader:
        if trusted not in self._loaders:
            self._loaders[trusted] = self._deps.open_loader(trusted)
        return self._loaders[trusted]

    def retry_while_unavailable(self, step: Callable[[], T]) -> T:
        """Run the step until the index answers; raises Stopping when the worker shuts down.

        An index that was rebuilt for another model is opened again. For errors that only an operator can fix,
        the chunk waits: its items are not the cause.
        """

        def wait(seconds: float) -> None:
            if self._stopping.wait(seconds):
                raise Stopping

        retrying = _BACKOFF.retrying(
            retry=lambda error: isinstance(error, StoreError),
            minimum=_pause_for_operator,
            on_retry=self._on_index_error,
            sleep=wait,
        )
        return retrying(step)

    def _on_index_error(self, error: BaseException) -> None:
        if isinstance(error, StoreError) and not error.transient:
            self.close()
        log.warning("index_retry", reason=str(error), error=type(error).__name__)

    def close(self) -> None:
        """Close the index and the loaders."""
        if self._index is not None:
            self._index.close()
            self._index = None
        while self._loaders:
            self._loaders.popitem()[1].close()


def _pause_for_operator(error: BaseException) -> float:
    """Seconds that a pause lasts at least: the longest where only an operator can resolve the error."""
    transient = isinstance(error, StoreError) and error.transient
    return 0.0 if transient or isinstance(error, IndexNotFound | IndexMismatch) else _LONGEST_PAUSE
