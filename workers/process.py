"""A worker and a beat as programs: how Celery is started, and whether a worker makes progress."""

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

#: seconds without a finished task, while messages wait, after which a worker is sick
STALLED = 300.0


class Progress:
    """When the children of a worker last ended a task, of whatever kind.

    Celery has known workers that live, and take nothing any more after a broken connection; a look at the
    process alone would call them well.
    """

    def __init__(self, broker: Broker, queues: Sequence[str]) -> None:
        self._broker = broker
        self._queues = queues
        self._last = multiprocessing.Value("d", time.monotonic())
        signals.task_postrun.connect(self._ended, weak=False)

    def _ended(self, **_: object) -> None:
        self._last.value = time.monotonic()

    def fault(self) -> str | None:
        """Why the worker counts as sick, None where it does not."""
        silent = time.monotonic() - self._last.value
        if silent < STALLED:
            return None
        try:
            lengths = self._broker.lengths()
        except BrokerUnavailable:  # nothing that a new process would mend
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
    """Work until a signal ends it; the exit code. SIGTERM gives chunks under way `app.GRACE` seconds.

    `metrics` is the host and port of `/metrics` and `/healthz`, `metrics_folder` where children count.
    Raises InvalidRequest where the port cannot be had.
    """
    configure_celery(level, format)
    broker = Broker(app.conf.broker_url)
    progress = Progress(broker, queues)
    server = MetricsServer(*metrics, progress.fault, folder=metrics_folder) if metrics else None
    # a thread, since nothing would start a process again that died
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
    """Keep the schedule until a signal ends it."""
    configure_celery(level, format)
    app.Beat(scheduler=app.conf.beat_scheduler, quiet=True).run()
