"""`/v1/scans/NAME/allowances`: suspects that may show works, and so are not reported by a scan."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.scans import Name, seen
from facsimile.api.stages import Work
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import State
from facsimile.workers.errors import AllowanceNotFound
from facsimile.workers.scanning import allowances as allow_list
from facsimile.workers.scanning.allowances import Allowance, Allowances, By

router = APIRouter(prefix="/v1", tags=["scans"])

AllowanceId = Annotated[str, Path(max_length=64, examples=["4395b7295653"])]
_FAULTS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)


Pattern = Annotated[str, Field(min_length=1, max_length=2048)]


class Allowed(BaseModel):
    """What may show works: a condition in `by` and `pattern`, or in `where` several that must all hold."""

    model_config = ConfigDict(extra="forbid")

    by: By | None = Field(
        None, description="source: a glob on whole addresses; site: a host with its subdomains; others by id"
    )
    pattern: Pattern | None = None
    where: Annotated[
        dict[By, Pattern],
        Field(description="conditions", examples=[{"site": "partner.example", "work": "1"}]),
    ] = {}
    note: Annotated[str, Field(max_length=2000, description="why, or by which licence")] = ""

    @property
    def conditions(self) -> dict[str, str]:
        """All conditions. Raises InvalidRequest where one is given in both ways."""
        if (self.by is None) is not (self.pattern is None):
            raise InvalidRequest("by and pattern belong together; several conditions go into where")
        if self.by in self.where:
            raise InvalidRequest(f"the condition {self.by} is given twice")
        single = {self.by.value: self.pattern} if self.by and self.pattern else {}
        return {by.value: pattern for by, pattern in self.where.items()} | single


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

    def added(index: Index) -> Allowance:
        seen(index.state, name, caller)
        return allow_list.allow(index, allowed.conditions, scan=name, note=allowed.note)

    return (await work.ask(added, work.service.index)).as_json()


@router.delete("/scans/{name}/allowances/{id}", status_code=204, responses=_FAULTS)
async def disallow(name: Name, id: AllowanceId, caller: Writer, work: Work) -> Response:
    """Take something off the list: its findings are reported again."""

    def removed(state: State) -> None:
        seen(state, name, caller)
        if id not in {each.id for each in _of(state, name)}:
            raise AllowanceNotFound(f"the scan {name} has no allowance {id}")
        Allowances(state).remove([id])

    await work.ask(removed, work.service.index.state)
    return Response(status_code=204)


def _of(state: State, scan: str) -> list[Allowance]:
    return [each for each in Allowances(state).all() if each.scan == scan]
