"""The service as the routes see it: each call waits its turn in the stage that it belongs to."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from fastapi import Depends, Request

from facsimile.api.concurrency import BoundedSlots, Stage
from facsimile.api.metrics import Metrics
from facsimile.api.service import Options, Service
from facsimile.imaging.describe import describe_readings
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import Description
from facsimile.ingest.item import Item, Outcome
from facsimile.search.finder import Finder

T = TypeVar("T")

#: seconds in which the fetcher, which has the limit of a stage too, may say itself why there is no image
GRACE = 1.0


class ServiceStages:
    """The stages of one process, over its service."""

    def __init__(self, service: Service, options: Options, metrics: Metrics) -> None:
        self.service = service
        self.options = options
        self.metrics = metrics

        def stage(name: str, threads: int) -> Stage:
            return Stage(
                name, threads=threads, line=options.line, seconds=options.stage_seconds, metrics=metrics
            )

        # more threads that compute than cores gain nothing, and each takes its share of the interpreter from
        # the event loop, which then cannot even reject requests; images are read in other processes
        self._cpu_limit = threading.BoundedSemaphore(options.threads)
        self.finder = Finder(
            service.index,
            service.thresholds,
            service.policy,
            model=service.model,
            limits=service.limits,
            observer=self._observe,
            cpu_limit=self._cpu_limit,
        )
        self._fetch = BoundedSlots(
            "fetch",
            most=options.fetches + options.line,
            seconds=options.stage_seconds + GRACE,
            metrics=metrics,
        )
        self._describe = stage("describe", 2 * options.threads)
        self._index = stage("index", options.connections)

    async def fetch(self, url: str) -> bytes:
        """The bytes behind a URL. Raises the errors of the fetcher."""
        return await self._fetch.hold(partial(self.service.fetch, url), _host_of(url))

    async def fetch_all(self, urls: Sequence[str]) -> list[bytes | FacsimileError]:
        """The bytes behind each URL, or why there are none; one request holds a part of the stage at most."""
        turns = asyncio.Semaphore(self.options.fetches)

        async def one(url: str) -> bytes | FacsimileError:
            async with turns:
                try:
                    return await self.fetch(url)
                except FacsimileError as error:
                    return error

        return list(await asyncio.gather(*(one(url) for url in urls)))

    async def describe(self, data: bytes) -> Description:
        """The signatures of one image. Raises the errors of reading it."""
        (described,) = await self.describe_all([data])
        if isinstance(described, FacsimileError):
            raise described
        return described

    async def describe_all(self, datas: Sequence[bytes]) -> Sequence[Description | FacsimileError]:
        """The signatures of images, as one piece of work."""
        return await self._describe.run(self._described, datas)

    def _described(self, datas: Sequence[bytes]) -> Sequence[Description | FacsimileError]:
        readings = self.service.read(datas)
        with self._cpu_limit:
            return describe_readings(readings, model=self.service.model)

    async def write(self, items: Sequence[Item]) -> Sequence[Outcome]:
        """Store images; they are found by the next search."""
        return await self._describe.run(self._written, items)

    def _written(self, items: Sequence[Item]) -> Sequence[Outcome]:
        outcomes = self.service.write(items, self._described)
        self.service.index.refresh()
        self.metrics.changed()
        for outcome in outcomes:
            self.metrics.image(str(outcome.status))
        return outcomes

    def _observe(self, what: str, number: float) -> None:
        if what == "candidates":
            self.metrics.candidates(int(number))
        else:
            self.metrics.stage(what, number)

    async def ask(self, question: Callable[..., T], *args: Any) -> T:
        """What the index answers."""
        return await self._index.run(question, *args)

    def close(self, seconds: float = 5.0) -> bool:
        """Wait for what has begun, half of the time at most before images are no longer read; whether all of
        it came to its end."""
        stages = (self._fetch, self._describe, self._index)
        start = time.monotonic()
        for stage in stages:
            stage.close(start + seconds / 2)
        self.service.close()
        return all(stage.close(start + seconds) for stage in stages)


def _host_of(url: str) -> str:
    """The host of an address; what is none is refused by the fetcher at once."""
    try:
        return urlsplit(url.strip()).hostname or ""
    except ValueError:
        return ""


def _of(request: Request) -> ServiceStages:
    stages: ServiceStages = request.app.state.stages
    return stages


#: what a route declares to be given the stages
Stages = Annotated[ServiceStages, Depends(_of)]
