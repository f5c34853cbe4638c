"""`/v1/scans` and `/v1/findings`: copies of works among suspects, and what people decide about them."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.jobs import Progress
from facsimile.api.problems import documented
from facsimile.api.schemas import Collection
from facsimile.api.stages import Work
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import State
from facsimile.search.query import Filter
from facsimile.workers.errors import FindingNotFound, JobNotFound, ScanNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.findings import MAX_COMMENT, Finding, Findings, Review
from facsimile.workers.scanning.scans import Scan, Scans

router = APIRouter(prefix="/v1", tags=["scans"])

Name = Annotated[str, Path(min_length=1, max_length=100, examples=["works"])]
FindingId = Annotated[str, Path(max_length=64, examples=["4395b729565338f443774f72"])]
_FAULTS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)


class Wanted(BaseModel):
    """A scan to be carried out by the workers, of two collections; sources are read by `facsimile scan`."""

    model_config = ConfigDict(extra="forbid")

    name: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=100,
                description="otherwise the catalogue's; keys of some collections get a suffix",
            ),
        ]
        | None
    ) = None
    catalogue: Annotated[Collection, Field(description="the collection of works")]
    suspects: Annotated[Collection, Field(description="the collection of suspects")]
    include_similar: bool = Field(False, description="find what is only similar, too")
    every_seconds: Annotated[int, Field(ge=60, le=31_536_000, description="repeat it so often")] | None = None


class Told(BaseModel):
    """A scan, how many of its findings that are not allowed are in each state, and the job under way."""

    model_config = ConfigDict(extra="allow")

    scan: str
    catalogue: str
    suspects: str
    phase: str = Field(
        description="waiting (started, but not begun by a worker), reading, planning, comparing, or idle"
    )
    findings: dict[str, int]
    progress: Progress | None = None


class Scanned(BaseModel):
    """All scans that the caller may see, the oldest first."""

    scans: list[Told]


class Found(BaseModel):
    """Part of the findings, the first found first; a part may hold fewer than the limit, or none."""

    findings: list[dict[str, Any]] = Field(description="as in findings.jsonl of the report")
    cursor: str | None = Field(description="asks for the next part; null at the end")


class Decision(BaseModel):
    """What is decided about a finding; a state, a comment or both."""

    model_config = ConfigDict(extra="forbid")

    state: Review | None = None
    comment: Annotated[str, Field(max_length=MAX_COMMENT)] = ""
    reviewer: Annotated[str, Field(max_length=200, description="otherwise the key that asks")] = ""


@router.post("/scans", status_code=202, responses=_FAULTS)
async def start(wanted: Wanted, caller: Writer, work: Work) -> Told:
    """Have two collections compared: only what is new, where a scan of this name has compared them before."""
    return await work.ask(_started, work.service.index, wanted, caller)


@router.get("/scans", responses=_FAULTS)
async def listing(caller: Reader, work: Work) -> Scanned:
    """The scans."""

    def found(state: State) -> Scanned:
        return Scanned(scans=[_told(state, scan) for scan in Scans(state).all() if _sees(caller, scan)])

    return await work.ask(found, work.service.index.state)


@router.get("/scans/{name}", responses=_FAULTS)
async def one(name: Name, caller: Reader, work: Work) -> Told:
    """How far a scan is."""
    state = work.service.index.state
    return await work.ask(lambda: _told(state, seen(state, name, caller)))


@router.get("/scans/{name}/findings", responses=_FAULTS)
async def findings(
    name: Name,
    caller: Reader,
    work: Work,
    state: Annotated[tuple[Review, ...], Query(description="only these")] = (),
    work_: Annotated[str, Query(alias="work", max_length=600, description="COLLECTION/ID")] = "",
    site: Annotated[str, Query(max_length=255, description="a host")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the part before")] = None,
) -> Found:
    """What a scan found, less what is allowed."""

    def found(kept: State) -> Found:
        seen(kept, name, caller)
        page, after = Findings(kept).page(
            scan=name, states=state, work=work_, site=site, limit=limit, cursor=cursor
        )
        return Found(findings=[each.as_json() for each in Allowances(kept).reported(page)], cursor=after)

    return await work.ask(found, work.service.index.state)


@router.patch("/findings/{id}", responses=_FAULTS)
async def review(id: FindingId, decision: Decision, caller: Writer, work: Work) -> dict[str, Any]:
    """Decide about a finding, or say something about it."""

    def reviewed(state: State) -> Finding:
        findings = Findings(state)
        found = findings.get(id)
        if not _sees(caller, Scans(state).get(found.scan)):
            raise FindingNotFound(f"there is no finding {id}")
        return findings.review(
            id,
            state=decision.state or "",
            comment=decision.comment,
            reviewer=decision.reviewer or caller.name,
        )

    return (await work.ask(reviewed, work.service.index.state)).as_json()


def _started(index: Index, wanted: Wanted, caller: Caller) -> Told:
    for collection in (wanted.catalogue, wanted.suspects):
        if not caller.sees(collection) or not index.count(Filter((collection,))):
            raise InvalidRequest(f"there is no collection {collection}")
    scans = Scans(index.state)
    name = _name(scans, wanted, caller)
    scan = scans.opened(
        Scan(
            name=name,
            catalogue=wanted.catalogue,
            suspects=wanted.suspects,
            similar=wanted.include_similar,
        )
    )
    while not (saved := scans.save(scan.replaced(due=now(), every=wanted.every_seconds or scan.every))):
        scan = scans.get(scan.name)
    return _told(index.state, saved)


def _name(scans: Scans, wanted: Wanted, caller: Caller) -> str:
    """The name of the scan that is wanted.

    A caller who is limited to collections gets names that hold a digest of the two that are compared, so that
    nobody learns which names others use, or takes one before them. A scan that they see keeps its name.
    """
    name = wanted.name or wanted.catalogue
    if not caller.collections:
        return name
    sides = (wanted.catalogue, wanted.suspects)
    with suppress(ScanNotFound):
        scan = scans.get(name)
        if (scan.catalogue, scan.suspects) == sides:
            return name
    return f"{name}-{sha256(orjson.dumps(sides)).hexdigest()[:8]}"


def seen(state: State, name: str, caller: Caller) -> Scan:
    """The scan of this name; ScanNotFound where the caller may not see all of it."""
    scan = Scans(state).get(name)
    if not _sees(caller, scan):
        raise ScanNotFound(f"there is no scan {name}")
    return scan


def _sees(caller: Caller, scan: Scan) -> bool:
    return caller.sees(scan.catalogue) and caller.sees(scan.suspects)


def _told(state: State, scan: Scan) -> Told:
    progress = None
    if scan.job:
        try:
            progress = Progress.of(Jobs(state).get(scan.job))
        except JobNotFound:  # it is about to begin
            progress = None
    public = {name: value for name, value in scan.as_json().items() if name != "sources"}
    return Told(**public, findings=Allowances(state).states(scan.name), progress=progress)
