"""`/v1/scans/NAME/findings`, `/v1/findings`: suspects that show works, and what people decide about them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.scans import ScanName, can_see, visible_scan
from facsimile.api.schemas.findings import Finding, FindingPage
from facsimile.api.stages import Stages
from facsimile.search.index.state.base import State
from facsimile.workers.errors import FindingNotFound
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.findings import MAX_COMMENT, Findings, Review
from facsimile.workers.scanning.scans import Scans

router = APIRouter(prefix="/v1", tags=["scans"])

FindingId = Annotated[str, Path(max_length=64, examples=["4395b729565338f443774f72"])]
_ERRORS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)


class Decision(BaseModel):
    """What is decided about a finding; a state, a comment or both."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"state": "confirmed", "comment": "no licence for this shop"}]},
    )

    state: Review | None = None
    comment: Annotated[str, Field(max_length=MAX_COMMENT)] = ""
    reviewer: Annotated[str, Field(max_length=200, description="by default the name of the key")] = ""


@router.get("/scans/{name}/findings", responses=_ERRORS)
async def list_findings(
    name: ScanName,
    caller: Reader,
    stages: Stages,
    state: Annotated[tuple[Review, ...], Query(description="only these states")] = (),
    work: Annotated[str, Query(max_length=600, description="COLLECTION/ID")] = "",
    site: Annotated[str, Query(max_length=255, description="a host")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the page before")] = None,
) -> FindingPage:
    """List the findings of a scan, open ones first, without those that are allowed."""

    def read(stored: State) -> FindingPage:
        visible_scan(stored, name, caller)
        page, after = Findings(stored).page(
            scan=name, states=state, work=work, site=site, limit=limit, cursor=cursor
        )
        reported = Allowances(stored).reported(page)
        return FindingPage(findings=[Finding.of(each) for each in reported], cursor=after)

    return await stages.ask(read, stages.service.index.state)


@router.patch("/findings/{id}", responses=_ERRORS)
async def review_finding(id: FindingId, decision: Decision, caller: Writer, stages: Stages) -> Finding:
    """Set the state of a finding, or comment on it."""

    def review(state: State) -> Finding:
        findings = Findings(state)
        if not can_see(caller, Scans(state).get(findings.get(id).scan)):
            raise FindingNotFound(f"there is no finding {id}")
        reviewed = findings.review(
            id,
            state=decision.state or "",
            comment=decision.comment,
            reviewer=decision.reviewer or caller.name,
        )
        return Finding.of(reviewed)

    return await stages.ask(review, stages.service.index.state)
