"""What a worker process does with a chunk: claim it, ingest it or call its handler, count the ends."""

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
from facsimile.ingest.pipeline import Timings, process
from facsimile.search.errors import IndexMismatch, IndexNotFound, StoreError
from facsimile.search.index.base import Index, Status
from facsimile.search.retry import Backoff
from facsimile.workers import metrics
from facsimile.workers.ledger.chunks import LEASE, Chunk, Chunks, Claim, Published, Work
from facsimile.workers.logging import bound, logger
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


#: does a chunk whose items are all in the index already; one outcome for each. Raises the errors of
#: `facsimile.search.errors` where the index as a whole fails, and is then called again
Handler = Callable[[Chunk, Index, Limits, Model | None], list[Outcome]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """How a worker process gets what it needs; opened in the process that uses it, with the first chunk.

    `open_loader` gets whether the items may name files. `handlers` do chunks of other work than ingest.
    `item_seconds` is the longest time for one image.
    """

    open_index: Callable[[], Index]
    open_loader: Callable[[bool], Loader]
    handlers: Mapping[Work, Handler] = field(default_factory=dict)
    open_model: Callable[[Index], Model | None] = hashes_alone
    limits: Limits = field(default_factory=Limits)
    item_seconds: float = 60.0
    lease: float = LEASE


class Hand:
    """One worker process's index, loaders and model, kept from chunk to chunk."""

    def __init__(self, means: Means, stopping: Flag) -> None:
        self._means = means
        self._stopping = stopping
        self._index: Index | None = None
        self._model: Model | None = None
        self._loaders: dict[bool, Loader] = {}

    def run(self, id: str, holder: str) -> list[Published]:
        """Work on a chunk to its end; what has to be published next. Waits while the index is away."""
        claim = self.patiently(lambda: self._chunks().claim(id, holder))
        if not isinstance(claim, Claim):
            return claim
        with bound(job=claim.chunk.job, chunk=claim.chunk.id):
            return self._work(claim)

    def _work(self, claim: Claim) -> list[Published]:
        chunk = claim.chunk
        start = time.monotonic()
        try:
            with Guard(claim, self._renew, self._means.lease) as guard:
                outcomes = self._outcomes(chunk, guard)
            counted = self.patiently(lambda: self._chunks().finish(claim, outcomes))
        except Stopping:
            log.warning("stopped while the index was away; the chunk is taken up later")
            raise
        seconds = time.monotonic() - start
        for outcome in outcomes:
            if outcome.status is Status.FAILED:
                log.warning(
                    "failed",
                    item=outcome.item.id or outcome.item.source,
                    reason=outcome.reason,
                    transient=outcome.transient,
                )
        metrics.chunk(outcomes, seconds, counted=counted, tries=chunk.tries)
        log.info("done", items=len(outcomes), seconds=round(seconds, 3), counted=counted, tries=chunk.tries)
        return []

    def _outcomes(self, chunk: Chunk, guard: Guard) -> list[Outcome]:
        """What became of each item; what is done when the index goes away is not done again."""
        if chunk.work is not Work.INGEST:
            return self.patiently(partial(self._compared, chunk))
        outcomes: list[Outcome] = []
        for items in portions(chunk.items):
            outcomes += self.patiently(partial(self._processed, chunk, items, guard))
        return outcomes

    def _compared(self, chunk: Chunk) -> list[Outcome]:
        index = self.index  # opened with its model
        return self._means.handlers[chunk.work](chunk, index, self._means.limits, self._model)

    def _processed(self, chunk: Chunk, items: list[Item], guard: Guard) -> list[Outcome]:
        index = self.index
        remote = sum(is_remote(item.source) for item in items)
        timings = Timings()
        with guard.limit(self._means.item_seconds * (1 + remote / THREADS)):
            outcomes = process(
                items,
                index=index,
                loader=self._loader(chunk.trusted),
                limits=self._means.limits,
                model=self._model,
                recheck=chunk.recheck,
                timings=timings,
            )
        metrics.stages(timings)
        return outcomes

    def _chunks(self) -> Chunks:
        return Chunks(self.index.state, self._means.lease)

    def _renew(self, claim: Claim) -> None:
        if index := self._index:  # else it is being opened again, in the other thread
            Chunks(index.state, self._means.lease).renew(claim)

    @property
    def index(self) -> Index:
        """The index, opened at its first use."""
        if self._index is None:
            index = self._means.open_index()
            self._model = self._means.open_model(index)
            self._index = index
        return self._index

    def _loader(self, trusted: bool) -> Loader:
        if trusted not in self._loaders:
            self._loaders[trusted] = self._means.open_loader(trusted)
        return self._loaders[trusted]

    def patiently(self, step: Callable[[], T]) -> T:
        """The step's answer, tried again while the index is away; raises Stopping at the worker's end.

        An index that was built anew for another model is opened again. Until an operator mends what else is
        wrong with it, the work waits: nothing of it is at fault.
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
        """Let go of the index and the loaders."""
        if self._index is not None:
            self._index.close()
            self._index = None
        while self._loaders:
            self._loaders.popitem()[1].close()


def _pause_for_operator(error: BaseException) -> float:
    """Seconds that a pause lasts at least: the longest where only an operator can resolve the error."""
    transient = isinstance(error, StoreError) and error.transient
    return 0.0 if transient or isinstance(error, IndexNotFound | IndexMismatch) else _LONGEST_PAUSE
