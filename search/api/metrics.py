"""What the API tells Prometheus."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

MEDIA_TYPE = CONTENT_TYPE_LATEST

#: seconds; a search takes some 10 to 100 ms
_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The figures of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Histogram(
            "facsimile_http_request_seconds",
            "Time from the first byte of a request to the last of its answer",
            ("method", "route", "status"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._stages = Histogram(
            "facsimile_stage_seconds",
            "Time of one stage of a request, with the wait for its turn",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._taken = Gauge(
            "facsimile_stage_requests",
            "Requests that are in a stage or wait for it",
            ("stage",),
            registry=self.registry,
        )
        self._refused = Counter(
            "facsimile_stage_refused",
            "Requests turned away because the line of a stage was full",
            ("stage",),
            registry=self.registry,
        )
        self._matches = Histogram(
            "facsimile_matches",
            "Matches of one query",
            ("mode",),
            buckets=(0, 1, 2, 5, 10, 20, 50, 100, 1000),
            registry=self.registry,
        )
        self._written = Counter(
            "facsimile_images_written", "Images by what became of them", ("status",), registry=self.registry
        )

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._requests.labels(method, route, str(status)).observe(seconds)

    def stage(self, name: str, seconds: float) -> None:
        """Count the work of a stage."""
        self._stages.labels(name).observe(seconds)

    def taken(self, name: str, number: int) -> None:
        """Tell how many requests a stage has."""
        self._taken.labels(name).set(number)

    def refused(self, name: str) -> None:
        """Count a request that found no place."""
        self._refused.labels(name).inc()

    def matches(self, mode: str, number: int) -> None:
        """Count the matches of a query."""
        self._matches.labels(mode).observe(number)

    def written(self, status: str) -> None:
        """Count an image."""
        self._written.labels(status).inc()

    def text(self) -> bytes:
        """All figures as Prometheus reads them."""
        return generate_latest(self.registry)
