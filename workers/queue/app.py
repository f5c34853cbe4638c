"""The Celery application: its settings, and how chunks are published. `tasks` holds the tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import OperationalError

from facsimile.workers.errors import BrokerUnavailable
from facsimile.workers.ledger.chunks import ChunkMessage, QueueName

WORK = "facsimile.work"
INTAKE = "facsimile.intake"
GATHER = "facsimile.gather"
SWEEP = "facsimile.sweep"
SCANS = "facsimile.scans"
LOST = "facsimile.lost"
REFUSED = "facsimile.refused"

#: seconds after which Celery kills a task; the watchdog of a chunk is faster, this covers all other tasks
HARD_LIMIT = 3600

#: seconds that chunks in progress may take to end after SIGTERM; the orchestrator has to wait longer
GRACE = 20.0

#: seconds after which Redis delivers the message of a vanished worker again; the ledger is faster
VISIBILITY = 2 * HARD_LIMIT


def make_app(broker_url: str) -> Celery:
    """An application that can publish; `facsimile.workers.tasks.register` makes it one that can work."""
    app = Celery("facsimile", broker=broker_url, set_as_current=False)
    app.conf.update(
        task_queues=[Queue(queue.value, routing_key=queue.value) for queue in QueueName],
        task_default_queue=QueueName.COMPUTE.value,
        task_create_missing_queues=False,
        task_serializer="json",
        accept_content=["json"],
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        # acknowledged after the ledger has recorded the result; the ledger holds the chunk if the message is
        # lost
        task_acks_late=True,
        task_acks_on_failure=True,
        task_acks_on_timeout=True,
        task_reject_on_worker_lost=False,
        task_time_limit=HARD_LIMIT,
        # a message is taken only when a process is free, so none waits behind a long chunk
        worker_prefetch_multiplier=1,
        worker_disable_prefetch=True,
        worker_max_tasks_per_child=1000,  # bounds what a leak in a decoder can take
        worker_soft_shutdown_timeout=GRACE,
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,  # any client of Redis could end workers, or make them run tasks
        worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        broker_transport_options={
            "visibility_timeout": VISIBILITY,
            "unacked_restore_interval": 10,
            "unacked_restore_throttle": 1,
            "socket_timeout": 30,
            "socket_connect_timeout": 5,
            "socket_keepalive": True,
            "health_check_interval": 15,
            "queue_order_strategy": "priority",  # the queues in the order in which a worker names them
        },
    )
    return app


def publisher(app: Celery) -> Callable[[Iterable[ChunkMessage]], None]:
    """A function that publishes chunks by this application; it raises BrokerUnavailable."""

    def publish(chunks: Iterable[ChunkMessage]) -> None:
        messages = list(chunks)
        if not messages:
            return
        try:
            with app.producer_or_acquire() as producer:
                for chunk in messages:
                    app.send_task(WORK, args=[chunk.id], queue=chunk.queue, producer=producer)
        except OperationalError as error:
            reason = " ".join(str(error).split())
            raise BrokerUnavailable(f"cannot publish chunks: {reason}") from None

    return publish
