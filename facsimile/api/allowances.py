"""`/v1/scans/NAME/allowances`: suspects that may show works, and so are not reported by a scan."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.scans import ScanName, visible_scan
from facsimile.api.schemas.fields import Time
from facsimile.api.stages import Stages
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import State
from facsimile.workers.errors import AllowanceNotFound
from facsimile.workers.scanning import allowances as allow_list
from facsimile.workers.scanning.allowances import By

router = APIRouter(prefix="/v1", tags=["scans"])

AllowanceId = Annotated[str, Path(max_length=64, examples=["4395b7295653"])]
_ERRORS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)

Pattern = Annotated[str, Field(min_length=1, max_length=2048)]


class NewAllowance(BaseModel):
    """What may show works: a condition in `by` and `pattern`, or in `where` several that must all hold."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"by": "site", "pattern": "partner.example", "note": "licence of 2026"}]
        },
    )

    by: By | None = Field(
        None, description="source: a glob on whole addresses; site: a host with its subdomains; others by id"
    )
    pattern: Pattern | None = None
    where: Annotated[
        dict[By, Pattern],
        Field(description="conditions", examples=[{"site": "partner.example", "work": "1"}]),
    ] = {}
    note: Annotated[str, Field(max_length=2000, description="the reason, or the licence")] = ""

    @property
    def conditions(self) -> dict[str, str]:
        """All conditions. Raises InvalidRequest where one is given in both ways."""
        if (self.by is None) is not (self.pattern is None):
            raise InvalidRequest("by and pattern belong together; several conditions go into where")
        if self.by in self.where:
            raise InvalidRequest(f"the condition {self.by} is given twice")
        single = {self.by.value: self.pattern} if self.by and self.pattern else {}
        return {by.value: pattern for by, pattern in self.where.items()} | single


class Allowance(BaseModel):
    """One entry of the allow-list: what meets all of its conditions is not reported."""

    allowance: str = Field(examples=["4395b7295653"])
    by: By | None = Field(description="null where there are several conditions")
    pattern: str | None = Field(description="null where there are several conditions")
    where: dict[By, str] = Field(description="all conditions", examples=[{"site": "partner.example"}])
    scan: str | None = Field(description="null: it counts for all scans")
    note: str
    at: Time

    @classmethod
    def of(cls, allowance: allow_list.Allowance) -> Allowance:
        """The schema of an allowance."""
        return cls.model_validate(allowance.as_json())


class AllowanceList(BaseModel):
    """What is allowed for one scan, the oldest first."""

    allowances: list[Allowance]


@router.get("/scans/{name}/allowances", responses=_ERRORS)
async def list_allowances(name: ScanName, caller: Reader, stages: Stages) -> AllowanceList:
    """List what is allowed for this scan alone; what an operator allowed for all scans is not listed."""

    def read(state: State) -> AllowanceList:
        visible_scan(state, name, caller)
        return AllowanceList(allowances=[Allowance.of(each) for each in _allowances_of(state, name)])

    return await stages.ask(read, stages.service.index.state)


@router.post("/scans/{name}/allowances", status_code=201, responses=_ERRORS)
async def add_allowance(name: ScanName, new: NewAllowance, caller: Writer, stages: Stages) -> Allowance:
    """Allow something: its findings are no longer reported, earlier ones included."""

    def add(index: Index) -> Allowance:
        visible_scan(index.state, name, caller)
        return Allowance.of(allow_list.allow(index, new.conditions, scan=name, note=new.note))

    return await stages.ask(add, stages.service.index)


@router.delete("/scans/{name}/allowances/{id}", status_code=204, responses=_ERRORS)
async def delete_allowance(name: ScanName, id: AllowanceId, caller: Writer, stages: Stages) -> Response:
    """Delete an entry of the allow-list: its findings are reported again."""

    def delete(state: State) -> None:
        visible_scan(state, name, caller)
        if id not in {each.id for each in _allowances_of(state, name)}:
            raise AllowanceNotFound(f"the scan {name} has no allowance {id}")
        allow_list.Allowances(state).remove([id])

    await stages.ask(delete, stages.service.index.state)
    return Response(status_code=204)


def _allowances_of(state: State, scan: str) -> list[allow_list.Allowance]:
    return [each for each in allow_list.Allowances(state).all() if each.scan == scan]
