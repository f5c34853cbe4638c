"""The worker and beat processes: starts Celery, and checks that a worker makes progress."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Sequence
from pathlib import Path

from celery import Celery, signals
from celery.beat import EmbeddedService

from facsimile.workers.errors import BrokerUnavailable
from facsimile.workers.logging import Format, Level, configure_celery
from facsimile.workers.metrics import MetricsServer
from facsimile.workers.queue.broker import Broker

#: seconds without a finished task, while messages wait, after which a worker is unhealthy
STALLED = 300.0


class WorkerHealth:
    """The time at which the children of a worker last finished a task of any kind.

    Celery workers are known to stop taking messages after a broken connection while their process lives on.
    """

    def __init__(self, broker: Broker, queues: Sequence[str]) -> None:
        self._broker = broker
        self._queues = queues
        self._last = multiprocessing.Value("d", time.monotonic())
        signals.task_postrun.connect(self._ended, weak=False)

    def _ended(self, **_: object) -> None:
        self._last.value = time.monotonic()

    def fault(self) -> str | None:
        """Why the worker is unhealthy, None where it is healthy."""
        silent = time.monotonic() - self._last.value
        if silent < STALLED:
            return None
        try:
            lengths = self._broker.lengths()
        except BrokerUnavailable:  # a new process would not fix this
            return None
        waiting = sum(lengths.get(queue, 0) for queue in self._queues)
        return f"{waiting} messages wait, and no task has ended for {silent:.0f} seconds" if waiting else None


def run_worker(
    app: Celery,
    *,
    concurrency: int,
    queues: Sequence[str],
    beat: bool,
    metrics: tuple[str, int] | None,
    metrics_folder: Path,
    level: Level,
    format: Format,
) -> int:
    """Run a worker until a signal ends it; returns the exit code. SIGTERM gives chunks in progress
    `app.GRACE` seconds.

    `metrics` is the host and port of `/metrics` and `/healthz`, `metrics_folder` where children write counts.
    Raises InvalidRequest where the port cannot be bound.
    """
    configure_celery(level, format)
    broker = Broker(app.conf.broker_url)
    health = WorkerHealth(broker, queues)
    server = MetricsServer(*metrics, health.fault, folder=metrics_folder) if metrics else None
    # a thread, since nothing would restart a process that died
    clock = EmbeddedService(app, thread=True, scheduler_cls=app.conf.beat_scheduler) if beat else None
    if clock:
        clock.start()
    try:
        worker = app.Worker(
            hostname=None,
            pool_cls="prefork",
            concurrency=concurrency,
            queues=list(queues),
            without_gossip=True,
            without_mingle=True,
            quiet=True,
            optimization="fair",
        )
        worker.start()
    finally:
        if clock:
            clock.service.stop()
        if server:
            server.close()
        broker.close()
    return int(worker.exitcode or 0)


def run_beat(app: Celery, *, level: Level, format: Format) -> None:
    """Run the schedule until a signal ends it."""
    configure_celery(level, format)
    app.Beat(scheduler=app.conf.beat_scheduler, quiet=True).run()
