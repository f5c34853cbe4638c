"""`/v1/jobs`: how far the work of the queue is."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from search.api.access import Caller, Reader, Writer
from search.api.problems import documented
from search.api.work import Work
from search.index.state import State
from workers.errors import JobMissing
from workers.jobs import Job, Jobs, JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(max_length=100, examples=["20261121-141154-0d0bf8"])]
_FAULTS = documented(400, 401, 403, 404, 421, 422, 429, 503)


class Progress(BaseModel):
    """How far a job is. Every accepted image is in exactly one of the counts, or pending."""

    job: str = Field(examples=["20261121-141154-0d0bf8"])
    state: JobState = Field(description="open: more may come; closed: all is handed over")
    accepted: int
    added: int
    updated: int
    unchanged: int
    failed: int = Field(description="listed with their reasons by `facsimile letters`")
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
async def one(job: JobId, caller: Reader, work: Work) -> Progress:
    """How far a job is."""
    return Progress.of(await work.ask(_found, work.service.index.state, job, caller))


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
        raise JobMissing(f"there is no job {id}")
    return job


def _sees(caller: Caller, job: Job) -> bool:
    """Whether all that the job writes to is the caller's; what a command handed over names no collections."""
    if not caller.collections:
        return True
    return bool(job.collections) and all(caller.sees(each) for each in job.collections)
