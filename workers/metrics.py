"""Prometheus metrics of workers, and the HTTP server that exposes them.

The children of a worker write their counts to files in one folder, and its main process adds them up for each
scrape. The folder must be set (`facsimile.settings.share_metrics`) before this module is imported.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from facsimile.ingest.item import Outcome
from facsimile.ingest.pipeline import StageTimings
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Status
from facsimile.search.index.state.base import EntryFilter, State
from facsimile.workers.ledger.chunks import ChunkState, now
from facsimile.workers.ledger.dead_letters import DeadLetters
from facsimile.workers.ledger.kinds import CHUNK
from facsimile.workers.queue.broker import Broker

#: label of each stage of the pipeline
STAGES = {"load": "fetch", "decode": "decode", "hash": "hash", "model": "cnn", "write": "index"}

#: outcome of an item with a transient failure; the other outcomes are those of `Status`
LATER = "later"

_stages = Counter("facsimile_stage_seconds", "Seconds that workers spent in each stage", ["stage"])
_items = Counter("facsimile_items", "Items that came out of a chunk, once each", ["outcome"])
_chunks = Counter("facsimile_chunks", "Chunks that came to an end", ["outcome"])
_duration = Histogram(
    "facsimile_chunk_seconds",
    "Seconds from claiming a chunk to its end",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300),
)
_retried = Counter("facsimile_retried_items", "Items of chunks that were no first try")

# The most recent value of any child counts, not the sum over them.
_waiting = Gauge("facsimile_queue_messages", "Messages in Redis", ["queue"], multiprocess_mode="mostrecent")
_ledger = Gauge("facsimile_ledger_chunks", "Unfinished chunks", ["state"], multiprocess_mode="mostrecent")
_letters = Gauge("facsimile_dead_letters", "Dead letters", multiprocess_mode="mostrecent")
_overdue = Gauge(
    "facsimile_overdue_seconds",
    "How long the oldest chunk of a state has been due; a queued one may only wait behind others",
    ["state"],
    multiprocess_mode="mostrecent",
)

# A rate needs a zero to begin with.
for _stage in STAGES.values():
    _stages.labels(_stage)
for _outcome in (*Status, LATER):
    _items.labels(str(_outcome))
for _end in ("done", "superseded"):
    _chunks.labels(_end)


def stages(timings: StageTimings) -> None:
    """Add the seconds of one chunk's stages."""
    for name, stage in STAGES.items():
        _stages.labels(stage).inc(getattr(timings, name))


def chunk(outcomes: Sequence[Outcome], seconds: float, *, counted: bool, tries: int = 1) -> None:
    """Count a chunk that came to an end.

    `counted` is False where another worker had taken it over: then its items are that worker's to count.
    """
    _chunks.labels("done" if counted else "superseded").inc()
    _duration.observe(seconds)
    if not counted:
        return
    for outcome in outcomes:
        later = outcome.status is Status.FAILED and outcome.transient
        _items.labels(LATER if later else str(outcome.status)).inc()
    if tries > 1:
        _retried.inc(len(outcomes))


def observe(broker: Broker, state: State) -> None:
    """Measure queues and ledger. Raises QueueError and StoreError where they are unreachable."""
    for queue, length in {**broker.lengths(), "intake": broker.intake()}.items():
        _waiting.labels(queue).set(length)
    _letters.set(DeadLetters(state).count())
    for chunk_state in ChunkState:
        if chunk_state is ChunkState.DONE:
            continue
        query = EntryFilter(kind=CHUNK, terms={"state": (chunk_state.value,)})
        oldest = state.find(query, order="due", limit=1).entries
        _ledger.labels(chunk_state.value).set(state.count(query))
        _overdue.labels(chunk_state.value).set(
            max(0, now() - oldest[0].number("due")) / 1000 if oldest else 0
        )


class MetricsServer:
    """Serves `/metrics`, and `/healthz` with 200, or with 503 and the reason that `ready` returns.

    `folder` is where the children write, None for a single process. `port` 0 takes a free one. It serves from
    a thread until it is closed. Raises InvalidRequest where the port cannot be bound.
    """

    def __init__(
        self, host: str, port: int, ready: Callable[[], str | None], *, folder: Path | None = None
    ) -> None:
        self._ready = ready
        self._folder = folder
        try:
            self._server = ThreadingHTTPServer((host, port), self._handler())
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InvalidRequest(f"cannot serve metrics on port {port} of {host}: {reason}") from None
        self._thread = threading.Thread(target=self._server.serve_forever, name="metrics", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, kind, body = server._answer(self.path.partition("?")[0], self.headers.get("Accept"))
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """No line for each scrape."""

        return Handler

    def _answer(self, path: str, accept: str | None) -> tuple[int, str, bytes]:
        plain = "text/plain; charset=utf-8"
        if path == "/metrics":
            encode, kind = choose_encoder(accept or "")
            return 200, kind, encode(self._registry())
        if path == "/healthz":
            reason = self._ready()
            return (503, plain, f"{reason}\n".encode()) if reason else (200, plain, b"ok\n")
        return 404, plain, b"there are /metrics and /healthz\n"

    def _registry(self) -> CollectorRegistry:
        if self._folder is None:
            return REGISTRY
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=str(self._folder))  # type: ignore[no-untyped-call]
        return registry

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
