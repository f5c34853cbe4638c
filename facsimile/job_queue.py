"""The queue of an index, as the settings wire it: for producers, for those who watch jobs, for workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Self

from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.errors import SourceTooLarge
from facsimile.ingest.item import Item
from facsimile.ingest.loader import Loader
from facsimile.ingest.presence import sweep
from facsimile.ingest.sources import all_items
from facsimile.search.index.base import Index
from facsimile.search.index.opening import model_of, open_index
from facsimile.settings import Settings
from facsimile.workers.chunk_worker import WorkerDeps
from facsimile.workers.errors import BrokerUnavailable
from facsimile.workers.ledger.dead_letters import DeadLetter, DeadLetters
from facsimile.workers.ledger.jobs import Job, Jobs
from facsimile.workers.logging import logger
from facsimile.workers.queue.app import make_app, publisher
from facsimile.workers.queue.broker import Broker
from facsimile.workers.queue.producer import Producer
from facsimile.workers.queue.redrive import redrive
from facsimile.workers.scanning.compare import HANDLERS
from facsimile.workers.scanning.scans import Run, Scan
from facsimile.workers.scanning.scheduler import ScanScheduler, SchedulerDeps

if TYPE_CHECKING:
    from celery import Celery


log = logger(__name__)


class JobQueue:
    """What can be handed to the workers of an index, and what became of it."""

    def __init__(self, index: Index, chosen: Settings) -> None:
        self._settings = chosen
        self._broker = Broker(chosen.broker_url.get_secret_value())
        self._publish = publisher(make_app(chosen.broker_url.get_secret_value()))
        self._state = index.state
        self._index = index
        self.jobs = Jobs(index.state)
        self.letters = DeadLetters(index.state)

    def hand_over(
        self,
        sources: Sequence[str],
        *,
        job: str | None = None,
        collection: str = DEFAULT_COLLECTION,
        recheck: bool = False,
        on_start: Callable[[str], None] = lambda job: None,
        on_accepted: Callable[[int], None] = lambda count: None,
        on_full: Callable[[], None] = lambda: None,
        on_missing: Callable[[int], None] = lambda count: None,
        passed_over: Callable[[str], None] = lambda name: None,
    ) -> str:
        """Hand all images of the sources to the workers, no faster than they take them; the id of the job.

        With the id of a job that an interruption left open, this continues it. `on_missing` receives how
        many places of the folders are gone, which their records lose. Raises BrokerUnavailable,
        JobClosed, and the errors of sources and of the index.
        """
        self._broker.ping()
        items = all_items(
            sources,
            collection=collection,
            max_bytes=self._settings.max_bytes,
            archive_limits=self._settings.archive_limits,
            passed_over=passed_over,
        )
        job = self.jobs.start(job, sources)
        on_start(job)
        self.producer.produce(job, items, recheck=recheck, on_accepted=on_accepted, on_full=on_full)
        self.jobs.close(job)
        self._index.refresh()
        on_missing(sweep(self._index, sources, collection).missing)
        return job

    def scheduler(self, index: Index, announce: Callable[[Scan, Run], None]) -> ScanScheduler:
        """What starts scans and brings them further, as workers do."""
        deps = SchedulerDeps(
            publish=self._publish,
            waiting=self._broker.waiting,
            limit=self._settings.queue_limit,
            max_bytes=self._settings.max_bytes,
            rules=self._settings.scan_rules,
            announce=announce,
        )
        return ScanScheduler(index, deps)

    @property
    def producer(self) -> Producer:
        return Producer(self._state, self._publish, self._broker.waiting, limit=self._settings.queue_limit)

    def submit(self, items: Sequence[Item]) -> str:
        """Hand over images that somebody has sent, with their bytes; the id of their job.

        They are accepted once they are in the ledger; should Redis be away, workers get them when it is
        back. Raises SourceTooLarge, and the errors of the index.
        """
        most = self._settings.queue_inline_bytes
        if any(len(item.data or b"") > most for item in items):
            raise SourceTooLarge(f"the queue takes images of up to {most} bytes; send others with wait=true")
        job = self.jobs.start(collections={item.collection for item in items})
        try:
            self.producer.submit(job, items)
        except BrokerUnavailable as error:
            log.warning("the workers get these later", job=job, reason=str(error))
        self.jobs.close(job)
        return job

    def ping(self) -> None:
        """Raise BrokerUnavailable where Redis does not answer."""
        self._broker.ping()

    def redrive(self, letters: Iterable[DeadLetter]) -> int:
        """Let the workers try dead letters again; how many that were."""
        return redrive(self._state, self._publish, letters)

    def watch(self, job: str) -> Job:
        """How far a job is; one whose work is done is brought to its end."""
        found = self.jobs.get(job)
        if found.finished is None and not found.pending and found.state != "open":
            self.jobs.fold(job, self._index.refresh)
            found = self.jobs.get(job)
        return found

    def close(self) -> None:
        """Let go of the connection to Redis."""
        self._broker.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def worker_app(location: str, chosen: Settings) -> Celery:
    """The Celery application of a worker or a beat. Nothing is opened before the first task."""
    from facsimile.workers.tasks import WorkerOptions, register

    options = chosen.elastic
    app = make_app(chosen.broker_url.get_secret_value())
    deps = WorkerDeps(
        open_index=partial(open_index, location, options),
        open_loader=lambda trusted: Loader(chosen.fetching, files=trusted),
        handlers=HANDLERS,
        open_model=partial(model_of, requested=chosen.model, options=chosen.running),
        limits=chosen.limits,
        item_seconds=chosen.image_timeout,
        lease=chosen.queue_lease,
    )
    register(
        app,
        WorkerOptions(
            broker_url=chosen.broker_url.get_secret_value(),
            deps=deps,
            max_inline_bytes=chosen.queue_inline_bytes,
            queue_limit=chosen.queue_limit,
            max_bytes=chosen.max_bytes,
            rules=chosen.scan_rules,
            endpoint=chosen.endpoint,
            trusted=chosen.queue_allow_local_files,
        ),
    )
    return app
