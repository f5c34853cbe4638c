"""Prometheus metrics of the API."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

MEDIA_TYPE = CONTENT_TYPE_LATEST

#: seconds; a search takes some 10 to 100 ms
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30)

_COUNTS = (0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


class Metrics:
    """The figures of one process, or, with a `shared` folder, of all processes that write there.

    The folder must be named (`facsimile.settings.share_metrics`) before this module is imported.
    """

    def __init__(self, shared: Path | None = None) -> None:
        self._shared = shared
        self._registry = CollectorRegistry()
        self._requests = self._histogram(
            "facsimile_http_request_seconds",
            "Time from the head of a request to the end of its answer",
            ["method", "route", "status"],
        )
        self._stages = self._histogram(
            "facsimile_http_stage_seconds",
            "Time of one stage of a request, with the wait for its turn",
            ["stage"],
        )
        self._candidates = self._histogram(
            "facsimile_http_candidates", "Candidates of one query that were ranked", [], _COUNTS
        )
        self._matches = self._histogram("facsimile_http_matches", "Matches of one query", ["mode"], _COUNTS)
        self._taken = self._gauge(
            "facsimile_http_stage_requests",
            "Requests that are in a stage or wait for it",
            ["stage"],
            "livesum",
        )
        self._refused = self._counter(
            "facsimile_http_stage_refused", "Requests that found the line of a stage full", ["stage"]
        )
        self._images = self._counter(
            "facsimile_http_images", "Images that came to be stored, by what became of them", ["outcome"]
        )
        self._cache = self._counter(
            "facsimile_http_cache",
            "Keys remembered, and thumbnails that the caller still had",
            ["cache", "result"],
        )
        self._records = self._gauge("facsimile_index_records", "Images in the index", [], "mostrecent")
        self._last_write = self._gauge(
            "facsimile_index_last_write_timestamp_seconds", "When the API last changed the index", [], "max"
        )

    def _histogram(
        self, name: str, description: str, labels: list[str], buckets: Sequence[float] = _SECONDS
    ) -> Histogram:
        return Histogram(name, description, labels, buckets=buckets, registry=self._registry)

    def _counter(self, name: str, description: str, labels: list[str]) -> Counter:
        return Counter(name, description, labels, registry=self._registry)

    def _gauge(self, name: str, description: str, labels: list[str], mode: Any) -> Gauge:
        return Gauge(name, description, labels, registry=self._registry, multiprocess_mode=mode)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Count the work of a stage."""
        self._stages.labels(name).observe(seconds)

    def candidates(self, number: int) -> None:
        """Count the candidates of a query."""
        self._candidates.observe(number)

    def matches(self, mode: str, number: int) -> None:
        """Count the matches of a query."""
        self._matches.labels(mode).observe(number)

    def taken(self, name: str, number: int) -> None:
        """Tell how many requests a stage has."""
        self._taken.labels(name).set(number)

    def refused(self, name: str) -> None:
        """Count a request that found no place."""
        self._refused.labels(name).inc()

    def image(self, outcome: str) -> None:
        """Count an image that was to be stored."""
        self._images.labels(outcome).inc()

    def cache(self, name: Literal["keys", "thumbnails"], hit: bool) -> None:
        """Count a hit or a miss of a cache."""
        self._cache.labels(name, "hit" if hit else "miss").inc()

    def changed(self) -> None:
        """Note that the index was changed now."""
        self._last_write.set(time.time())

    def records(self, number: int) -> None:
        """Tell how many images there are."""
        self._records.set(number)

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        if self._shared is None:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together, str(self._shared))  # type: ignore[no-untyped-call]
        return generate_latest(together)
