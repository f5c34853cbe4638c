"""`worker`, `beat`, `jobs`, `job`, `letters`: the queue."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli import completion
from facsimile.cli.options import IndexOption, JsonOption, open_library
from facsimile.cli.output import complain, emit, note, progress, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.job_queue import JobQueue
    from facsimile.workers.ledger.dead_letters import DeadLetter
    from facsimile.workers.ledger.jobs import Job

#: the queues that a worker serves by default, interactive work first
QUEUES = "live,maintenance,compute,fetch"

#: seconds between two updates of a watched job
_POLL = 1.0

JobArgument = Annotated[
    str,
    typer.Argument(
        metavar="JOB", autocompletion=completion.jobs, help="The id of a job, or the beginning of one."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("worker")(worker)
    app.command("beat")(beat)
    app.command("jobs")(jobs)
    app.command("job")(job)
    app.command("letters")(letters)


def worker(
    index: IndexOption = None,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-j", min=0, help="Processes; 0: one per core.")
    ] = 0,
    queues: Annotated[str, typer.Option("--queues", help="Queues to serve, the most urgent first.")] = QUEUES,
    metrics_port: Annotated[
        int, typer.Option("--metrics-port", min=0, max=65535, help="Serve /metrics and /healthz; 0: no.")
    ] = 0,
    with_beat: Annotated[
        bool, typer.Option("--beat/--no-beat", help="Run the scheduler, too; any number of workers may.")
    ] = True,
) -> None:
    """Process the queue until stopped. On SIGTERM, chunks in progress are finished or returned."""
    from facsimile.settings import settings, share_metrics, stop_softly
    from facsimile.workers.queue.queue_names import queue_names

    chosen = settings()
    stop_softly()
    with tempfile.TemporaryDirectory(prefix="facsimile-worker-") as folder:
        share_metrics(Path(folder))
        from facsimile.job_queue import worker_app
        from facsimile.workers.process import run_worker
        from facsimile.workers.queue.queue_names import queue_names

        port = metrics_port or chosen.worker_metrics_port
        names = queue_names(queues)
        code = run_worker(
            worker_app(index or chosen.index, chosen),
            concurrency=concurrency or chosen.worker_concurrency or chosen.process_count,
            queues=names,
            beat=with_beat,
            metrics=(chosen.worker_metrics_host, port) if port else None,
            metrics_folder=Path(folder),
            level=chosen.log_level,
            format=chosen.log_format,
        )
    sys.exit(code)


def beat(index: IndexOption = None) -> None:
    """Run the scheduler: sweep lost chunks, collect single messages. Needed if workers run with --no-beat."""
    from facsimile.settings import settings

    chosen = settings()
    from facsimile.job_queue import worker_app
    from facsimile.workers.process import run_beat

    run_beat(worker_app(index or chosen.index, chosen), level=chosen.log_level, format=chosen.log_format)


def jobs(index: IndexOption = None, json: JsonOption = False) -> None:
    """List the jobs of an index, the latest first."""
    with open_library(index) as library:
        found = list(library.queue.jobs.all())
    for each in found:
        if json:
            emit(each.as_json())
        else:
            say(_line(each))
    if not found and not json:
        say("no jobs")


def job(
    job: JobArgument,
    index: IndexOption = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show a bar until the job has ended.")] = False,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Retry its failed images.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Skip what is not started yet.")] = False,
    forget: Annotated[
        bool, typer.Option("--forget", help="Delete a finished job, with its dead letters.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Show the progress of a job, or change it by an option. Exit code 1 if it has ended with failures."""
    if retry_failed + cancel + forget > 1:
        raise InvalidRequest("use only one of --retry-failed, --cancel and --forget")
    from facsimile.search.names import id_named

    with open_library(index) as library:
        queue = library.queue
        job = id_named(job, (each.id for each in queue.jobs.all()), "jobs")
        queue.jobs.get(job)
        if forget:
            queue.jobs.delete(job)
            if json:
                emit({"deleted": job})
            else:
                say(f"job {job} deleted")
            return
        if cancel:
            queue.jobs.cancel(job)
        if retry_failed:
            again = queue.redrive(queue.letters.all(job))
            if not json:
                note(f"{again} images are retried")
        found = _watch(queue, job, quiet=json) if watch else queue.watch(job)
    if json:
        emit(found.as_json())
    else:
        say(_line(found))
    if found.finished and found.failed:
        raise typer.Exit(1)


def _watch(queue: JobQueue, job: str, *, quiet: bool) -> Job:
    """The job, once it has ended."""
    with progress(quiet) as bar:
        task = bar.add_task(job, total=None)
        while True:
            found = queue.watch(job)
            bar.update(task, completed=found.decided, total=found.accepted or None)
            if found.finished:
                return found
            time.sleep(_POLL)


def letters(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="LETTER", help="Ids of dead letters; otherwise all.")
    ] = None,
    index: IndexOption = None,
    job: Annotated[
        str,
        typer.Option("--job", metavar="JOB", autocompletion=completion.jobs, help="Only those of this job."),
    ] = "",
    retry: Annotated[bool, typer.Option("--retry", help="Return them to the queue.")] = False,
    drop: Annotated[bool, typer.Option("--drop", help="Delete them.")] = False,
    json: JsonOption = False,
) -> None:
    """List dead letters: accepted images that could not be stored, with the reason."""
    if retry and drop:
        raise InvalidRequest("use only one of --retry and --drop")
    if drop and not (ids or job):
        raise InvalidRequest("give the letters to delete, or a --job")
    with open_library(index) as library:
        queue = library.queue
        found = iter(queue.letters.get(ids)) if ids else queue.letters.all(job)
        if retry:
            _say_done("retried", queue.redrive(found), "images are retried", json=json)
        elif drop:
            deleted = [letter.id for letter in found]
            queue.letters.drop(deleted)
            _say_done("deleted", len(deleted), "dead letters deleted", json=json)
        else:
            _say_letters(found, json=json)
        if ids and len(queue.letters.get(ids)) < len(ids) and not (retry or drop):
            complain("some of these letters do not exist")
            raise typer.Exit(1)


def _say_done(what: str, number: int, words: str, *, json: bool) -> None:
    if json:
        emit({what: number})
    else:
        say(f"{number} {words}")


def _say_letters(found: Iterable[DeadLetter], *, json: bool) -> None:
    count = 0
    for letter in found:
        count += 1
        if json:
            emit(letter.as_json())
        else:
            say(f"{letter.id}  {letter.name or '(unreadable message)'}: {letter.reason}")
    if not count and not json:
        say("no dead letters")


#: the meaning of the counts of a job, by its work
_WORDS = {
    "ingest": ("added", "updated", "unchanged"),
    "compare": ("with new findings", "with changed findings", "with nothing new"),
}


def _line(job: Job) -> str:
    left = job.seconds_left
    time_left = "" if left is None or job.finished else f", about {left:,.0f} s left"
    added, updated, unchanged = _WORDS[job.kind.value]
    return (
        f"{job.id}  {job.state.value}: {job.accepted} accepted, "
        f"{job.added} {added}, {job.updated} {updated}, {job.unchanged} {unchanged}, "
        f"{job.failed} failed, {job.cancelled} cancelled, {job.pending} pending "
        f"in {job.seconds:,.1f} s ({job.rate:,.0f} images/s{time_left})"
    )
