"""The API as one application, put together from what it is given; nothing comes from the environment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from fastapi import Depends, FastAPI
from fastapi.middleware.cors import CORSMiddleware

from facsimile.api import (
    allowances,
    collections,
    compat,
    docs,
    findings,
    health,
    idempotency,
    images_read,
    images_write,
    jobs,
    me,
    query_parameters,
    scans,
    search,
    web,
)
from facsimile.api.auth import Authenticator, KeyPolicy
from facsimile.api.keys import Keys
from facsimile.api.metrics import Metrics
from facsimile.api.middleware.body_limits import BodyLimits
from facsimile.api.middleware.disconnects import CancelOnDisconnect
from facsimile.api.middleware.request_context import RequestContext
from facsimile.api.problems import Problems
from facsimile.api.request_bodies import hoisted
from facsimile.api.service import Options, Service
from facsimile.api.stages import ServiceStages
from facsimile.imaging.errors import FacsimileError
from facsimile.workers.logging import logger

#: seconds between two sweeps of what has been kept for long enough
SWEEP = 3600.0

#: the modules with the routes, in the order of the OpenAPI document
ROUTES = (
    search,
    images_write,
    images_read,
    collections,
    jobs,
    scans,
    findings,
    allowances,
    me,
    health,
    compat,
    web,
    docs,
)

log = logger(__name__)


def create_app(
    service: Service,
    options: Options | None = None,
    *,
    keys: KeyPolicy = "auto",
    metrics: Metrics | None = None,
    abandon: Callable[[], object] = lambda: None,
    version: str = "1",
) -> FastAPI:
    """The application over an opened service, which stays the caller's to close.

    `keys` says whether callers need one of the index's API keys. `metrics` are given where
    several processes count together. `abandon` is called at the end where work hangs, which no thread can be
    stopped at.
    """
    options = options or Options()
    metrics = metrics or Metrics()
    problems = Problems({compat.PREFIX: compat.render_error})
    stages = ServiceStages(service, options, metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_sweep(stages))
        yield
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping
        if not await asyncio.to_thread(stages.close):
            log.error("work_abandoned")
            abandon()

    app = FastAPI(
        title="Facsimile",
        summary="Find every copy of an image, even edited.",
        version=version,
        lifespan=lifespan,
        docs_url=None,  # ours is in docs.py: that of the framework loads scripts from another host
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        redirect_slashes=False,
    )
    app.state.stages = stages
    app.state.problems = problems
    app.state.readiness = health.Readiness(service)
    app.state.door = Authenticator(Keys(service.index.state), options.rate, keys)
    checked = [Depends(query_parameters.check_query)]
    for module in ROUTES:
        # the others are asked by other projects' clients, by probes and by links to pages
        strict = module.router.prefix.startswith("/v1")
        app.include_router(module.router, dependencies=checked if strict else [])
    problems.install(app)
    app.add_middleware(CancelOnDisconnect)
    app.add_middleware(BodyLimits, options=options)
    if options.origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=options.origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "X-Api-Key"],
            expose_headers=[
                "ETag",
                "Location",
                "RateLimit-Limit",
                "RateLimit-Remaining",
                "RateLimit-Reset",
                "Retry-After",
                "X-Request-ID",
            ],
        )
    app.add_middleware(RequestContext, options=options, metrics=metrics, problems=problems)
    _describe_once(app)
    return app


def _describe_once(app: FastAPI) -> None:
    """Have the OpenAPI document hold the schemas of bodies that the routes read themselves."""
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        return hoisted(plain())

    app.openapi = openapi  # type: ignore[method-assign]


async def _sweep(stages: ServiceStages) -> None:
    while True:
        await asyncio.sleep(SWEEP)
        try:
            await stages.ask(idempotency.sweep, stages.service.index.state)
        except FacsimileError as error:
            log.warning("sweep failed", reason=str(error))
