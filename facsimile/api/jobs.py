"""`/v1/jobs`: progress and failures of the jobs of the queue."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.stages import Stages
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.state.base import State
from facsimile.workers.errors import JobNotFound
from facsimile.workers.ledger.dead_letters import DeadLetter, DeadLetters
from facsimile.workers.ledger.jobs import Job, JobKind, Jobs, JobState

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(max_length=100, examples=["20261121-141154-0d0bf8"])]
_ERRORS = documented(400, 401, 403, 404, 421, 422, 429, 503)

#: failures that the answer about a job lists itself
MAX_FAILURES = 20


class FailedItem(BaseModel):
    """Why an image of a job was not stored, or not compared."""

    letter: str = Field(description="the id of the dead letter", examples=["20261121-141154-0d0bf8/0#0"])
    name: str = Field(description="the id, or else the source, of the image; empty where it had none")
    id: str | None = Field(description="as it was given, or the SHA-256 of an upload without one")
    collection: str | None
    source: str
    error: str = Field(description="what kind of error ended it", examples=["NotAnImage"])
    reason: str = Field(examples=["the bytes are not in a supported image format"])
    at: datetime

    @classmethod
    def of(cls, letter: DeadLetter) -> FailedItem:
        """The schema of a dead letter."""
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


class FailurePage(BaseModel):
    """A page of the failures of a job, the oldest first."""

    failures: list[FailedItem]
    cursor: str | None = Field(description="asks for the next page; null at the end")


class JobProgress(BaseModel):
    """The progress of a job. Every accepted image is in exactly one of the counts, or pending."""

    job: str = Field(examples=["20261121-141154-0d0bf8"])
    state: JobState = Field(description="open: images may be added; closed: all are submitted")
    kind: JobKind = Field(
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
    seconds_left: float | None = Field(description="null where it is unknown")

    @classmethod
    def of(cls, job: Job) -> JobProgress:
        """The schema of a job."""
        return cls.model_validate(job.as_json())


class JobDetails(JobProgress):
    """The progress of a job, and why images failed."""

    failures: list[FailedItem] = Field(
        description=f"the first {MAX_FAILURES}; all: `/v1/jobs/{{job}}/failures`"
    )


class JobPage(BaseModel):
    """A page of jobs, the latest first."""

    jobs: list[JobProgress]
    cursor: str | None = Field(description="asks for the next page; null at the end")


class Retried(BaseModel):
    """The number of images that were returned to the queue."""

    retried: int


@router.get("", responses=_ERRORS)
async def list_jobs(
    caller: Reader,
    stages: Stages,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: Annotated[JobState | None, Query(description="only jobs in this state")] = None,
) -> JobPage:
    """List the jobs, the latest first; a key limited to collections sees those that write to them only."""

    def read(stored: State) -> JobPage:
        jobs, after = Jobs(stored).page(
            cursor=cursor, limit=limit, collections=caller.collections, state=state
        )
        return JobPage(jobs=[JobProgress.of(job) for job in jobs if _can_see(caller, job)], cursor=after)

    return await stages.ask(read, stages.service.index.state)


@router.get("/{job}", responses=_ERRORS)
async def get_job(job: JobId, caller: Reader, stages: Stages) -> JobDetails:
    """Read the progress of a job, and its first failures."""

    def read(state: State) -> JobDetails:
        progress = _visible_job(state, job, caller).as_json()
        letters, _ = DeadLetters(state).page(job, cursor=None, limit=MAX_FAILURES)
        return JobDetails.model_validate(progress | {"failures": [FailedItem.of(each) for each in letters]})

    return await stages.ask(read, stages.service.index.state)


@router.get("/{job}/failures", responses=_ERRORS)
async def list_job_failures(
    job: JobId,
    caller: Reader,
    stages: Stages,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the page before")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> FailurePage:
    """List why images of a job failed, the oldest first."""

    def read(state: State) -> FailurePage:
        _visible_job(state, job, caller)
        letters, after = DeadLetters(state).page(job, cursor=cursor, limit=limit)
        return FailurePage(failures=[FailedItem.of(each) for each in letters], cursor=after)

    return await stages.ask(read, stages.service.index.state)


@router.post("/{job}/cancel", responses=_ERRORS | documented(409))
async def cancel_job(job: JobId, caller: Writer, stages: Stages) -> JobProgress:
    """Cancel what has not begun yet."""

    def cancel(state: State) -> Job:
        _visible_job(state, job, caller)
        Jobs(state).cancel(job)
        return _visible_job(state, job, caller)

    return JobProgress.of(await stages.ask(cancel, stages.service.index.state))


@router.post("/{job}/retry", responses=_ERRORS)
async def retry_job(job: JobId, caller: Writer, stages: Stages) -> Retried:
    """Return the failed images of a job to the queue."""
    retry = stages.service.retry
    if retry is None:
        raise InvalidRequest("this server has no queue")

    def redrive_all(state: State) -> int:
        _visible_job(state, job, caller)
        return retry(DeadLetters(state).all(job))

    return Retried(retried=await stages.ask(redrive_all, stages.service.index.state))


def _visible_job(state: State, id: str, caller: Caller) -> Job:
    job = Jobs(state).get(id)
    if not _can_see(caller, job):
        raise JobNotFound(f"there is no job {id}")
    return job


def _can_see(caller: Caller, job: Job) -> bool:
    """Whether the caller may see every collection that the job writes to; a job of the command line names
    none."""
    if not caller.collections:
        return True
    return bool(job.collections) and all(caller.sees(each) for each in job.collections)
