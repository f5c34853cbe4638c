"""The Celery tasks: thin wrappers of the other modules of `workers`."""

from __future__ import annotations

import base64
import json
import multiprocessing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery
from celery.signals import task_failure, worker_process_shutdown, worker_shutting_down

from facsimile.search.errors import StoreError
from facsimile.search.index.base import Index
from facsimile.workers import metrics
from facsimile.workers.chunk_worker import ChunkWorker, Stopping, WorkerDeps
from facsimile.workers.errors import QueueError
from facsimile.workers.ledger.chunks import Chunks, QueueName
from facsimile.workers.ledger.dead_letters import RAW_KEPT
from facsimile.workers.ledger.sweeper import EVERY, Sweeper
from facsimile.workers.logging import logger
from facsimile.workers.queue import app as names
from facsimile.workers.queue import envelopes, intake
from facsimile.workers.queue.app import publisher
from facsimile.workers.queue.broker import Broker
from facsimile.workers.scanning.notifications import announcer
from facsimile.workers.scanning.scans import ScanRules
from facsimile.workers.scanning.scheduler import ScanScheduler, SchedulerDeps
from facsimile.workers.webhook import Endpoint, Webhooks

#: seconds between two polls for messages of other services
GATHER_EVERY = 1.0

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """Options of a worker. `trusted` lets messages of other services name files of this machine.

    `queue_limit` is how many chunks may wait before reading suspects pauses, `max_bytes` the largest image.
    `rules` returns the rules of scans of an index, with or without similar matches. `endpoint` receives
    events.
    """

    broker_url: str
    deps: WorkerDeps
    max_inline_bytes: int
    queue_limit: int
    max_bytes: int
    rules: Callable[[Index, bool], ScanRules]
    endpoint: Endpoint | None = None
    trusted: bool = False


def register(app: Celery, options: WorkerOptions) -> None:
    """Register the tasks and their schedule. Nothing is opened before the first task runs."""
    stopping = multiprocessing.Event()
    worker = ChunkWorker(options.deps, stopping)
    broker = Broker(options.broker_url)
    publish = publisher(app)

    @app.task(name=names.WORK, bind=True)
    def work(task: Any, id: str) -> None:
        try:
            publish(worker.run(id, task.request.id))
        except Stopping:
            log.info("chunk_released", chunk=id)

    @app.task(name=names.INTAKE)
    def take(message: Mapping[str, Any]) -> None:
        broker.push(json.dumps(message).encode())  # orjson takes fewer numbers, and raises

    def maintain(step: Callable[[], object]) -> None:
        """Run a step that the next beat repeats if it fails."""
        try:
            step()
        except (StoreError, QueueError) as error:
            if not error.transient:
                worker.close()
            log.warning("maintenance_retry", reason=str(error), error=type(error).__name__)

    @app.task(name=names.GATHER, acks_late=False)
    def gather() -> None:
        maintain(
            lambda: (
                intake.gather(
                    worker.index.state,
                    broker,
                    publish,
                    max_inline_bytes=options.max_inline_bytes,
                    trusted=options.trusted,
                )
                if broker.intake()
                else 0
            )
        )

    def sweeper() -> Sweeper:
        index = worker.index
        return Sweeper(index.state, index.refresh, publish, broker.waiting, options.deps.lease)

    @app.task(name=names.SWEEP, acks_late=False)
    def sweep() -> None:
        maintain(lambda: sweeper().sweep())
        maintain(lambda: metrics.observe(broker, worker.index.state))

    def scheduler() -> ScanScheduler:
        webhooks = Webhooks(worker.index.state, options.endpoint)
        deps = SchedulerDeps(
            publish=publish,
            waiting=broker.waiting,
            limit=options.queue_limit,
            max_bytes=options.max_bytes,
            rules=options.rules,
            announce=announcer(worker.index.state, webhooks),
        )
        return ScanScheduler(worker.index, deps)

    @app.task(name=names.SCANS)
    def scans() -> None:
        maintain(lambda: scheduler().tick())
        maintain(lambda: Webhooks(worker.index.state, options.endpoint).deliver())

    @app.task(name=names.LOST)
    def lost(id: str, holder: str) -> None:
        maintain(lambda: publish(Chunks(worker.index.state).reclaim(id, holder)))

    ours = (work, take, gather, sweep, scans, lost, _refusals(app, worker))
    app.conf.broker_transport = envelopes.transport({task.name: task.run for task in ours}, _refuse(app))

    app.conf.beat_schedule = {
        name: {
            "task": task,
            "schedule": seconds,
            "options": {"queue": QueueName.MAINTENANCE.value, "expires": seconds},
        }
        for name, task, seconds in (
            ("gather", names.GATHER, GATHER_EVERY),
            ("sweep", names.SWEEP, EVERY),
            ("scans", names.SCANS, EVERY),
        )
    }
    app.conf.beat_scheduler = "celery.beat:Scheduler"  # the ledger has what is due: no file is needed

    @task_failure.connect(weak=False)
    def child_lost(sender: Any = None, task_id: str = "", exception: Any = None, **more: Any) -> None:
        """In the main process: a child died with a chunk, which need not wait until its lease expires."""
        if getattr(sender, "name", "") == names.WORK and isinstance(
            exception, WorkerLostError | TimeLimitExceeded
        ):
            app.send_task(names.LOST, args=[more["args"][0], task_id], queue=QueueName.MAINTENANCE.value)

    @worker_shutting_down.connect(weak=False)
    def shutting_down(**_: Any) -> None:
        stopping.set()

    @worker_process_shutdown.connect(weak=False)
    def closed(**_: Any) -> None:
        worker.close()
        broker.close()


def _refuse(app: Celery) -> envelopes.Refuse:
    """How the main process handles a malformed message: a child stores it, since that has an index."""

    def refuse(queue: str, message: bytes, fault: str) -> None:
        log.warning("message_refused", queue=queue, reason=fault)
        if names.REFUSED.encode() in message:  # no endless loop
            return
        reason = f"this message in {queue} is not a task of Facsimile: {fault}"
        kept = base64.b64encode(message[: 4 * RAW_KEPT]).decode()
        app.send_task(names.REFUSED, args=[kept, reason], queue=QueueName.MAINTENANCE.value)

    return refuse


def _refusals(app: Celery, worker: ChunkWorker) -> Any:
    """The task that stores a malformed message as a dead letter."""

    @app.task(name=names.REFUSED, bind=True)
    def refused(task: Any, message: str, reason: str) -> None:
        raw = base64.b64decode(message)
        try:
            worker.retry_while_unavailable(
                lambda: intake.refuse(worker.index.state, task.request.id, raw, reason)
            )
        except Stopping:
            app.send_task(names.REFUSED, args=[message, reason], queue=QueueName.MAINTENANCE.value)

    return refused
