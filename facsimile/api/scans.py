"""`/v1/scans`: comparisons of a collection of suspects with a catalogue of works."""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from typing import Annotated, Literal

import orjson
from fastapi import APIRouter, Path
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.jobs import JobProgress
from facsimile.api.problems import documented
from facsimile.api.schemas.fields import Collection, Time
from facsimile.api.stages import Stages
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.index.state.base import State
from facsimile.search.query import Filter
from facsimile.workers.errors import JobNotFound, ScanNotFound
from facsimile.workers.ledger.chunks import now
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.scanning import scans as stored_scans
from facsimile.workers.scanning.allowances import Allowances
from facsimile.workers.scanning.findings import Review

router = APIRouter(prefix="/v1", tags=["scans"])

ScanName = Annotated[str, Path(min_length=1, max_length=100, examples=["works"])]
_ERRORS = documented(400, 401, 403, 404, 408, 413, 421, 422, 429, 503)


class NewScan(BaseModel):
    """A scan of two collections, run by the workers; sources are read by `facsimile scan` only."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"catalogue": "works", "suspects": "crawl", "every_seconds": 86_400}]
        },
    )

    name: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=100,
                description="by default that of the catalogue; keys limited to collections get a suffix",
            ),
        ]
        | None
    ) = None
    catalogue: Annotated[Collection, Field(description="the collection of works")]
    suspects: Annotated[Collection, Field(description="the collection of suspects")]
    include_similar: bool = Field(False, description="report matches that are only similar, too")
    every_seconds: (
        Annotated[int, Field(ge=60, le=31_536_000, description="repeat at this interval")] | None
    ) = None


class Scan(BaseModel):
    """A scan, its findings by state (allowed ones not counted), and the progress of its job."""

    scan: str = Field(examples=["works"])
    catalogue: str = Field(examples=["works"])
    suspects: str = Field(examples=["crawl"])
    include_similar: bool
    phase: Literal["waiting", "reading", "planning", "comparing", "idle"] = Field(
        description="waiting: started, but not yet taken up by a worker"
    )
    job: str | None = Field(description="the job in progress")
    last_run: str | None = Field(description="the last run that finished")
    created: Time | None
    begun: Time | None = Field(description="when the last run began")
    ended: Time | None = Field(description="when the last run ended")
    every_seconds: int | None = Field(description="interval of repetition; null: none")
    next: Time | None = Field(description="when the next run is due")
    findings: dict[Review, int] = Field(examples=[{"open": 3, "confirmed": 1}])
    progress: JobProgress | None = Field(description="of the job in progress")


class ScanList(BaseModel):
    """All scans that the caller may see, the oldest first."""

    scans: list[Scan]


@router.post("/scans", status_code=202, responses=_ERRORS)
async def start_scan(new: NewScan, caller: Writer, stages: Stages) -> Scan:
    """Compare two collections; a repeated scan compares only what is new on either side."""
    return await stages.ask(_start, stages.service.index, new, caller)


@router.get("/scans", responses=_ERRORS)
async def list_scans(caller: Reader, stages: Stages) -> ScanList:
    """List the scans."""

    def read(state: State) -> ScanList:
        visible = [scan for scan in stored_scans.Scans(state).all() if can_see(caller, scan)]
        return ScanList(scans=[_schema_of(state, scan) for scan in visible])

    return await stages.ask(read, stages.service.index.state)


@router.get("/scans/{name}", responses=_ERRORS)
async def get_scan(name: ScanName, caller: Reader, stages: Stages) -> Scan:
    """Read the phase and the progress of a scan."""
    state = stages.service.index.state
    return await stages.ask(lambda: _schema_of(state, visible_scan(state, name, caller)))


def visible_scan(state: State, name: str, caller: Caller) -> stored_scans.Scan:
    """The scan of this name; ScanNotFound where the caller may not see both of its sides."""
    scan = stored_scans.Scans(state).get(name)
    if not can_see(caller, scan):
        raise ScanNotFound(f"there is no scan {name}")
    return scan


def can_see(caller: Caller, scan: stored_scans.Scan) -> bool:
    """Whether the caller may see both sides of a scan."""
    return caller.sees(scan.catalogue) and caller.sees(scan.suspects)


def _start(index: Index, new: NewScan, caller: Caller) -> Scan:
    for collection in (new.catalogue, new.suspects):
        if not caller.sees(collection) or not index.count(Filter((collection,))):
            raise InvalidRequest(f"there is no collection {collection}")
    scans = stored_scans.Scans(index.state)
    scan = scans.create_or_update(
        stored_scans.Scan(
            name=_name(scans, new, caller),
            catalogue=new.catalogue,
            suspects=new.suspects,
            similar=new.include_similar,
        )
    )
    while not (saved := scans.save(scan.replaced(due=now(), every=new.every_seconds or scan.every))):
        scan = scans.get(scan.name)
    return _schema_of(index.state, saved)


def _name(scans: stored_scans.Scans, new: NewScan, caller: Caller) -> str:
    """The name of a new scan.

    A caller who is limited to collections gets names with a digest of the two that are compared: so it can
    neither learn which names others use nor take one before them. A scan that it sees keeps its name.
    """
    name = new.name or new.catalogue
    if not caller.collections:
        return name
    sides = (new.catalogue, new.suspects)
    with suppress(ScanNotFound):
        scan = scans.get(name)
        if (scan.catalogue, scan.suspects) == sides:
            return name
    return f"{name}-{sha256(orjson.dumps(sides)).hexdigest()[:8]}"


def _schema_of(state: State, scan: stored_scans.Scan) -> Scan:
    progress = None
    if scan.job:
        with suppress(JobNotFound):  # recorded with the scan before the job itself
            progress = JobProgress.of(Jobs(state).get(scan.job))
    findings = Allowances(state).states(scan.name)
    return Scan.model_validate({**scan.as_json(), "findings": findings, "progress": progress})
