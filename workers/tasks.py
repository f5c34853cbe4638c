"""The tasks: thin wrappers of what the other modules of this room do."""

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
from facsimile.workers.chunk_worker import Hand, Means, Stopping
from facsimile.workers.errors import QueueError
from facsimile.workers.ledger.chunks import Chunks, Queue
from facsimile.workers.ledger.dead_letters import RAW_KEPT
from facsimile.workers.ledger.sweeper import EVERY, Sweeper
from facsimile.workers.logging import logger
from facsimile.workers.queue import app as names
from facsimile.workers.queue import envelopes, intake
from facsimile.workers.queue.app import publisher
from facsimile.workers.queue.broker import Broker
from facsimile.workers.scanning.notifications import announcer
from facsimile.workers.scanning.scans import Rules
from facsimile.workers.scanning.scheduler import Conductor
from facsimile.workers.scanning.scheduler import Means as Conducting
from facsimile.workers.webhook import Endpoint, Webhooks

#: seconds between two looks for messages of other services
GATHER_EVERY = 1.0

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerOptions:
    """What a worker is told. `trusted` lets messages of other services name files of this machine.

    `queue_limit` is how many chunks may wait before reading suspects pauses, `max_bytes` the largest image.
    `rules` are what scans of an index go by, with or without what is only similar. `endpoint` hears of them.
    """

    broker_url: str
    means: Means
    max_inline_bytes: int
    queue_limit: int
    max_bytes: int
    rules: Callable[[Index, bool], Rules]
    endpoint: Endpoint | None = None
    trusted: bool = False


def register(app: Celery, options: WorkerOptions) -> None:
    """Give an application its tasks and their schedule. Nothing is opened before the first task runs."""
    stopping = multiprocessing.Event()
    hand = Hand(options.means, stopping)
    broker = Broker(options.broker_url)
    publish = publisher(app)

    @app.task(name=names.WORK, bind=True)
    def work(task: Any, id: str) -> None:
        try:
            publish(hand.run(id, task.request.id))
        except Stopping:
            log.info("gives back", chunk=id)

    @app.task(name=names.INTAKE)
    def take(message: Mapping[str, Any]) -> None:
        broker.push(json.dumps(message).encode())  # orjson takes fewer numbers, and raises

    def upkeep(step: Callable[[], object]) -> None:
        """A step that the next beat repeats, should it fail."""
        try:
            step()
        except (StoreError, QueueError) as error:
            if not error.transient:
                hand.close()
            log.warning("upkeep has to wait", reason=str(error), error=type(error).__name__)

    @app.task(name=names.GATHER, acks_late=False)
    def gather() -> None:
        upkeep(
            lambda: (
                intake.gather(
                    hand.index.state,
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
        index = hand.index
        return Sweeper(index.state, index.refresh, publish, broker.waiting, options.means.lease)

    @app.task(name=names.SWEEP, acks_late=False)
    def sweep() -> None:
        upkeep(lambda: sweeper().sweep())
        upkeep(lambda: metrics.observe(broker, hand.index.state))

    def conductor() -> Conductor:
        webhooks = Webhooks(hand.index.state, options.endpoint)
        means = Conducting(
            publish=publish,
            waiting=broker.waiting,
            limit=options.queue_limit,
            max_bytes=options.max_bytes,
            rules=options.rules,
            announce=announcer(hand.index.state, webhooks),
        )
        return Conductor(hand.index, means)

    @app.task(name=names.SCANS)
    def scans() -> None:
        upkeep(lambda: conductor().tick())
        upkeep(lambda: Webhooks(hand.index.state, options.endpoint).deliver())

    @app.task(name=names.LOST)
    def lost(id: str, holder: str) -> None:
        upkeep(lambda: publish(Chunks(hand.index.state).lost(id, holder)))

    ours = (work, take, gather, sweep, scans, lost, _refusals(app, hand))
    app.conf.broker_transport = envelopes.transport({task.name: task.run for task in ours}, _refuse(app))

    app.conf.beat_schedule = {
        name: {
            "task": task,
            "schedule": seconds,
            "options": {"queue": Queue.MAINTENANCE.value, "expires": seconds},
        }
        for name, task, seconds in (
            ("gather", names.GATHER, GATHER_EVERY),
            ("sweep", names.SWEEP, EVERY),
            ("scans", names.SCANS, EVERY),
        )
    }
    app.conf.beat_scheduler = "celery.beat:Scheduler"  # what is due is in the ledger, so nothing to remember

    @task_failure.connect(weak=False)
    def child_lost(sender: Any = None, task_id: str = "", exception: Any = None, **more: Any) -> None:
        """In the main process: a child died over a chunk, which need not wait for the end of its lease."""
        if getattr(sender, "name", "") == names.WORK and isinstance(
            exception, WorkerLostError | TimeLimitExceeded
        ):
            app.send_task(names.LOST, args=[more["args"][0], task_id], queue=Queue.MAINTENANCE.value)

    @worker_shutting_down.connect(weak=False)
    def shutting_down(**_: Any) -> None:
        stopping.set()

    @worker_process_shutdown.connect(weak=False)
    def closed(**_: Any) -> None:
        hand.close()
        broker.close()


def _refuse(app: Celery) -> envelopes.Refuse:
    """What the main process does with a malformed message: it has no index, so a child keeps the message."""

    def refuse(queue: str, message: bytes, fault: str) -> None:
        log.warning("message_refused", queue=queue, reason=fault)
        if names.REFUSED.encode() in message:  # never in a circle
            return
        reason = f"this message in {queue} is not a task of Facsimile: {fault}"
        kept = base64.b64encode(message[: 4 * RAW_KEPT]).decode()
        app.send_task(names.REFUSED, args=[kept, reason], queue=Queue.MAINTENANCE.value)

    return refuse


def _refusals(app: Celery, hand: Hand) -> Any:
    """The task that keeps a malformed message as a dead letter."""

    @app.task(name=names.REFUSED, bind=True)
    def refused(task: Any, message: str, reason: str) -> None:
        raw = base64.b64decode(message)
        try:
            hand.patiently(lambda: intake.refuse(hand.index.state, task.request.id, raw, reason))
        except Stopping:
            app.send_task(names.REFUSED, args=[message, reason], queue=Queue.MAINTENANCE.value)

    return refused
