"""`/healthz`, `/readyz`, `/metrics`: for operators of the server."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from facsimile.api.auth import Admin
from facsimile.api.metrics import MEDIA_TYPE
from facsimile.api.problems import Problem, ProblemType, documented
from facsimile.api.service import Service
from facsimile.api.stages import Stages
from facsimile.imaging.errors import FacsimileError

router = APIRouter(tags=["operation"])

NOT_READY = ProblemType(503, "not-ready", "Not ready", 5)

#: seconds for which the state of the services is cached, so that probes cannot load them
CACHE_SECONDS = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"
    version: str = Field(examples=["0.1.0"])


class Ready(BaseModel):
    """Every required service answers, and the index stores the signatures that this process computes."""

    status: Literal["ready"] = "ready"
    signatures: str = Field(examples=["hash phash256-1 and facsimile-1 (256 dimensions)"])


class Readiness:
    """The cached state of the services."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._until = 0.0
        self._faults: list[str] = []

    def faults(self) -> list[str]:
        """The names of the services that are not ready; empty where all are."""
        if time.monotonic() >= self._until:
            self._faults = self._check()
            self._until = time.monotonic() + CACHE_SECONDS
        return self._faults

    def _check(self) -> list[str]:
        faults = []
        try:
            if self._service.stored() != self._service.index.signatures:
                faults.append("signatures")
            if not self._service.index.info().healthy:
                faults.append("index")
        except FacsimileError:
            faults.append("index")
        for name, check in self._service.checks.items():
            try:
                check()
            except FacsimileError:
                faults.append(name)
        return faults


@router.get("/healthz", responses=documented(400, 421))
async def healthz(request: Request) -> Alive:
    """Check that the process answers."""
    return Alive(version=request.app.version)


def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


@router.get("/readyz", responses=documented(400, 421, 503))
async def readyz(stages: Stages, readiness: Annotated[Readiness, Depends(_readiness)]) -> Ready:
    """Check that this process can serve; `faults` names the services that are not ready."""
    faults = await stages.ask(readiness.faults)
    if faults:
        raise Problem(NOT_READY, f"not ready: {', '.join(faults)}", faults=faults)
    return Ready(signatures=str(stages.service.index.signatures))


@router.get(
    "/metrics",
    response_class=Response,
    responses={
        **documented(400, 401, 403, 421, 429),
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
    },
)
async def metrics(caller: Admin, stages: Stages) -> Response:
    """Metrics for Prometheus; where keys are required, for the scope `admin`."""
    with suppress(FacsimileError, Problem):  # metrics are needed most when the index is down
        stages.metrics.records(await stages.ask(stages.service.index.count))
    return Response(stages.metrics.text(), media_type=MEDIA_TYPE)
