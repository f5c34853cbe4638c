"""`/healthz`, `/readyz`, `/metrics`: for those who run the server."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from facsimile.api.auth import Admin
from facsimile.api.metrics import MEDIA_TYPE
from facsimile.api.problems import Kind, Problem, documented
from facsimile.api.service import Service
from facsimile.api.stages import Work
from facsimile.imaging.errors import FacsimileError

router = APIRouter(tags=["operation"])

NOT_READY = Kind(503, "not-ready", "This server cannot answer at present", 5)

#: seconds for which an answer of the services counts, so that nobody can load them by asking
FRESH = 2.0


class Alive(BaseModel):
    """The process answers."""

    status: str = Field("alive")


class Ready(BaseModel):
    """Every service that is needed answers, and the index keeps what this process computes."""

    status: str = Field("ready")
    signatures: str = Field(examples=["hash phash256-1 and facsimile-1 (256 dimensions)"])


class Readiness:
    """What the last look at the services found."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._until = 0.0
        self._faults: list[str] = []

    def faults(self) -> list[str]:
        """The names of what is not as it must be; empty where all is well."""
        if time.monotonic() >= self._until:
            self._faults = self._look()
            self._until = time.monotonic() + FRESH
        return self._faults

    def _look(self) -> list[str]:
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
async def alive() -> Alive:
    """Whether the process answers at all."""
    return Alive(status="alive")


def _readiness(request: Request) -> Readiness:
    readiness: Readiness = request.app.state.readiness
    return readiness


@router.get("/readyz", responses=documented(400, 421, 503))
async def ready(work: Work, readiness: Annotated[Readiness, Depends(_readiness)]) -> Ready:
    """Whether this process can serve; `faults` names what keeps it from that."""
    faults = await work.ask(readiness.faults)
    if faults:
        raise Problem(NOT_READY, f"not as it must be: {', '.join(faults)}", faults=faults)
    return Ready(status="ready", signatures=str(work.service.index.signatures))


@router.get(
    "/metrics",
    response_class=Response,
    responses={**documented(400, 401, 403, 421, 429), 200: {"content": {"text/plain": {}}}},
)
async def metrics(caller: Admin, work: Work) -> Response:
    """Figures for Prometheus; where keys are needed, to a key with the scope `admin`."""
    with suppress(FacsimileError, Problem):  # figures are wanted most when the index is down
        work.metrics.records(await work.ask(work.service.index.count))
    return Response(work.metrics.text(), media_type=MEDIA_TYPE)
