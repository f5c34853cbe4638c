"""`/v1/jobs`: how far the work of the queue is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.stages import Work
from facsimile.search.index.state.base import State
from facsimile.workers.errors import JobNotFound
from facsimile.workers.ledger.dead_letters import Letter, Letters
from facsimile.workers.ledger.jobs import Job, Jobs, JobState, JobWork

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(max_length=100, examples=["20261121-141154-0d0bf8"])]
_FAULTS = documented(400, 401, 403, 404, 421, 422, 429, 503)


#: failures that a job itself tells
FIRST = 20


class Failure(BaseModel):
    """Why an image of a job was not stored, or not compared."""

    letter: str = Field(description="the id of the dead letter", examples=["20261121-141154-0d0bf8/0#0"])
    name: str = Field(description="the id, or else the source, of the image; empty where it had none")
    id: str | None = Field(description="as it was given, or the SHA-256 of an upload without one")
    collection: str | None
    source: str
    error: str = Field(description="what kind of error ended it", examples=["NotAnImage"])
    reason: str = Field(examples=["the bytes are in no image format that can be decoded here"])
    at: datetime

    @classmethod
    def of(cls, letter: Letter) -> Failure:
        """What is told of a dead letter."""
        item = letter.item.without_data() if letter.item else None
        return cls(
            letter=letter.id,
            name=letter.name,
            id=item.id if item else None,
            collection=item.collection if item else None,
            source=item.place if item else "",
            error=letter.error,
            reason=letter.reason,
            at=letter.at,
        )


class Failures(BaseModel):
    """Part of the failures of a job, the oldest first."""

    failures: list[Failure]
    cursor: str | None = Field(description="asks for the next part; null at the end")


class Progress(BaseModel):
    """How far a job is. Every accepted image is in exactly one of the counts, or pending."""

    job: str = Field(examples=["20261121-141154-0d0bf8"])
    state: JobState = Field(description="open: more may come; closed: all is handed over")
    work: JobWork = Field(
        description="ingest, or compare: then `added` images brought a new finding, `updated` changed one"
    )
    accepted: int
    added: int
    updated: int
    unchanged: int
    failed: int = Field(description="listed with their reasons by `/v1/jobs/{job}/failures`")
    cancelled: int
    pending: int
    started: datetime
    finished: datetime | None
    rate: float = Field(description="images per second since the start")
    seconds_left: float | None = Field(description="null where that cannot be told")

    @classmethod
    def of(cls, job: Job) -> Progress:
        """The progress of a job."""
        return cls.model_validate(job.as_json())


class Detailed(Progress):
    """The same, and why images failed."""

    failures: list[Failure] = Field(description=f"the first {FIRST}; all by `/v1/jobs/{{job}}/failures`")


class Listed(BaseModel):
    """Part of the listing of jobs, the latest first."""

    jobs: list[Progress]
    cursor: str | None = Field(description="asks for the next part; null at the end")


@router.get("", responses=_FAULTS)
async def listing(
    caller: Reader,
    work: Work,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the part before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Listed:
    """The jobs, the latest first. A key that is limited to collections sees those it has handed over."""

    def found(state: State) -> Listed:
        jobs, after = Jobs(state).page(cursor=cursor, limit=limit, collections=caller.collections)
        return Listed(jobs=[Progress.of(job) for job in jobs if _sees(caller, job)], cursor=after)

    return await work.ask(found, work.service.index.state)


@router.get("/{job}", responses=_FAULTS)
async def one(job: JobId, caller: Reader, work: Work) -> Detailed:
    """How far a job is, and why its first images failed."""

    def found(state: State) -> Detailed:
        told = _found(state, job, caller).as_json()
        letters, _ = Letters(state).page(job, cursor=None, limit=FIRST)
        return Detailed.model_validate(told | {"failures": [Failure.of(each) for each in letters]})

    return await work.ask(found, work.service.index.state)


@router.get("/{job}/failures", responses=_FAULTS)
async def failures(
    job: JobId,
    caller: Reader,
    work: Work,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the part before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Failures:
    """Why images of a job failed, the oldest first."""

    def found(state: State) -> Failures:
        _found(state, job, caller)
        letters, after = Letters(state).page(job, cursor=cursor, limit=limit)
        return Failures(failures=[Failure.of(each) for each in letters], cursor=after)

    return await work.ask(found, work.service.index.state)


@router.post("/{job}/cancel", responses=_FAULTS | documented(409))
async def cancel(job: JobId, caller: Writer, work: Work) -> Progress:
    """Pass over what is not begun yet."""

    def cancelled(state: State) -> Job:
        _found(state, job, caller)
        Jobs(state).cancel(job)
        return _found(state, job, caller)

    return Progress.of(await work.ask(cancelled, work.service.index.state))


def _found(state: State, id: str, caller: Caller) -> Job:
    job = Jobs(state).get(id)
    if not _sees(caller, job):
        raise JobNotFound(f"there is no job {id}")
    return job


def _sees(caller: Caller, job: Job) -> bool:
    """Whether all that the job writes to is the caller's; what a command handed over names no collections."""
    if not caller.collections:
        return True
    return bool(job.collections) and all(caller.sees(each) for each in job.collections)
