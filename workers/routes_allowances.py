"""`/v1/scans/NAME/allowances`: suspects that may show works, and so are not reported by a scan."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from search.api.access import Reader, Writer
from search.api.problems import documented
from search.api.work import Work
from search.index.state import State
from workers.errors import AllowanceMissing
from workers.routes_scans import Name, seen
from workers.scanning.allowances import Allowance, Allowances, By

router = APIRouter(prefix="/v1", tags=["scans"])

AllowanceId = Annotated[str, Path(max_length=64, examples=["4395b7295653"])]
_FAULTS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)


class Allowed(BaseModel):
    """What may show works."""

    model_config = ConfigDict(extra="forbid")

    by: By = Field(
        description="source: a glob on whole addresses; site: a host with its subdomains; the others by id"
    )
    pattern: Annotated[str, Field(min_length=1, max_length=2048)]
    note: Annotated[str, Field(max_length=2000, description="why, or by which licence")] = ""


class Listed(BaseModel):
    """What is allowed for one scan, the oldest first."""

    allowances: list[dict[str, Any]]


@router.get("/scans/{name}/allowances", responses=_FAULTS)
async def listing(name: Name, caller: Reader, work: Work) -> Listed:
    """What is allowed for this scan alone; what an operator allowed for all is not told."""

    def found(state: State) -> Listed:
        seen(state, name, caller)
        return Listed(allowances=[each.as_json() for each in _of(state, name)])

    return await work.ask(found, work.service.index.state)


@router.post("/scans/{name}/allowances", status_code=201, responses=_FAULTS)
async def allow(name: Name, allowed: Allowed, caller: Writer, work: Work) -> dict[str, Any]:
    """Allow something: its findings are not reported any more, those that there are neither."""

    def added(state: State) -> Allowance:
        seen(state, name, caller)
        return Allowances(state).add(allowed.by, allowed.pattern, scan=name, note=allowed.note)

    return (await work.ask(added, work.service.index.state)).as_json()


@router.delete("/scans/{name}/allowances/{id}", status_code=204, responses=_FAULTS)
async def disallow(name: Name, id: AllowanceId, caller: Writer, work: Work) -> Response:
    """Take something off the list: its findings are reported again."""

    def removed(state: State) -> None:
        seen(state, name, caller)
        if id not in {each.id for each in _of(state, name)}:
            raise AllowanceMissing(f"the scan {name} has no allowance {id}")
        Allowances(state).remove([id])

    await work.ask(removed, work.service.index.state)
    return Response(status_code=204)


def _of(state: State, scan: str) -> list[Allowance]:
    return [each for each in Allowances(state).all() if each.scan == scan]
