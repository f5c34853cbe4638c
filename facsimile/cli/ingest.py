"""`ingest`."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.options import (
    IndexOption,
    JsonOption,
    collection_name,
    new_file,
    open_library,
)
from facsimile.cli.output import complain, emit, progress, say
from facsimile.imaging.errors import FacsimileError
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from facsimile.ingest.item import Outcome, Tally

#: failures that are shown one by one; the rest is counted (`--failures` lists all)
SHOWN = 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("ingest")(ingest)


def ingest(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Files, folders, globs, .zip/.tar archives, URLs, or manifests (.txt .csv .jsonl .parquet).",
        ),
    ],
    index: IndexOption = None,
    collection: Annotated[
        str,
        typer.Option(
            "--collection",
            "-c",
            metavar="C",
            callback=collection_name,
            help="Collection of the images.",
        ),
    ] = "default",
    processes: Annotated[
        int, typer.Option("--processes", "-j", min=0, help="Processes that read images; 0: one per core.")
    ] = 0,
    failures: Annotated[
        Path | None,
        typer.Option(
            "--failures",
            metavar="FILE",
            callback=new_file,
            help="Write failed images here, in a form that can be ingested again.",
        ),
    ] = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Fetch URLs again that are stored already.")
    ] = False,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Remove records all of whose sources are gone; otherwise they are marked."
        ),
    ] = False,
    queue: Annotated[
        bool, typer.Option("--queue", help="Submit the images to the workers instead of reading them here.")
    ] = False,
    job: Annotated[
        str | None,
        typer.Option("--job", metavar="JOB", help="With --queue: the id of the job, or continue it."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Store images. Unchanged ones are skipped, so a second run continues the first."""
    if job and not queue:
        raise InvalidRequest("--job needs --queue")
    if queue and (failures or processes):
        raise InvalidRequest(
            "--processes and --failures cannot be used with --queue: the workers read the images"
        )
    if queue and prune:
        raise InvalidRequest("--prune cannot be used with --queue: run it later, when all images are read")
    if queue:
        _submit(sources, index, collection, recheck, job, json=json)
        return
    from facsimile.ingest.failures import FailureList

    start = time.monotonic()
    others: Counter[str] = Counter()
    with ExitStack() as stack:
        library = stack.enter_context(open_library(index, create=True))
        failed = stack.enter_context(FailureList(failures)) if failures else None
        bar = stack.enter_context(progress(quiet=json))
        task = bar.add_task("ingest", total=None)
        if not bar.disable:
            Thread(target=_set_total, args=(bar, task, sources), daemon=True).start()
        shown = 0

        def on_outcome(outcome: Outcome) -> None:
            nonlocal shown
            bar.advance(task)
            if not outcome.reason:
                return
            if failed:
                failed.add(outcome)
            shown += 1
            if shown <= SHOWN:
                complain(f"{outcome.item.source}: {outcome.reason}")

        tally = library.ingest(
            *sources,
            collection=collection,
            processes=processes,
            recheck=recheck,
            prune=prune,
            on_outcome=on_outcome,
            on_wait=lambda error: complain(f"{error}; trying again"),
            on_skipped=lambda name: others.update([Path(name).suffix.lower() or "no suffix"]),
        )
        bar.stop()
        if shown > SHOWN:
            complain(f"… and {shown - SHOWN} more" + ("" if failures else "; --failures FILE lists them all"))
        _report(tally, time.monotonic() - start, others, json=json)
        if tally.interrupted:
            complain("interrupted; run the same command again to continue")
            raise typer.Exit(130)
    if tally.failed:
        raise typer.Exit(1)


def _submit(
    sources: list[str], index: str | None, collection: str, recheck: bool, job: str | None, *, json: bool
) -> None:
    """Submit the images to the workers, and say how to follow them."""
    from facsimile.ingest.open_source import is_remote

    start = time.monotonic()
    accepted = missing = 0
    with open_library(index, create=True) as library, progress(quiet=json) as bar:
        task = bar.add_task("submit", total=None)
        if not bar.disable:
            Thread(target=_set_total, args=(bar, task, sources), daemon=True).start()

        def on_accepted(count: int) -> None:
            nonlocal accepted
            accepted = count
            bar.update(task, completed=count, description="submit")

        def on_start(id: str) -> None:
            nonlocal job
            job = id

        def on_missing(count: int) -> None:
            nonlocal missing
            missing = count

        try:
            library.queue.hand_over(
                [str(source) if is_remote(source) else str(Path(source).absolute()) for source in sources],
                job=job,
                collection=collection,
                recheck=recheck,
                on_start=on_start,
                on_accepted=on_accepted,
                on_missing=on_missing,
                on_full=lambda: bar.update(task, description="the queue is full"),
            )
        except KeyboardInterrupt:
            again = f"; --job {job} continues" if job else ""
            complain(f"interrupted after {accepted} images{again}")
            raise typer.Exit(130) from None
    if json:
        seconds = round(time.monotonic() - start, 3)
        emit({"job": job, "accepted": accepted, "missing": missing, "seconds": seconds})
    else:
        say(f"job {job}: {accepted} images submitted; `facsimile job {job} --watch` shows the progress")
        if missing:
            say(f"{missing} {'source' if missing == 1 else 'sources'} gone")


def _set_total(bar: Progress, task: TaskID, sources: list[str]) -> None:
    """Set the total of the bar as soon as it is known; the work begins meanwhile."""
    from facsimile.ingest.sources import count

    with suppress(FacsimileError):  # the run itself reports what is wrong with a source
        bar.update(task, total=count(sources))


def _report(tally: Tally, seconds: float, others: Counter[str], *, json: bool) -> None:
    if json:
        emit({**tally.counts, "seconds": round(seconds, 3)})
        return
    if others:
        kinds = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(5))
        say(f"skipped {others.total()} files without an image extension ({kinds})")
    rate = tally.total / seconds if seconds else 0
    say(
        f"{tally.added} added, {tally.updated} updated, {tally.unchanged} unchanged, {tally.failed} failed "
        f"in {seconds:.1f} s ({rate:,.0f} images/s)"
    )
    for number, what in ((tally.changed, "changed: other bytes now"), (tally.missing, "gone")):
        if number:
            say(f"{number} {'source' if number == 1 else 'sources'} {what}")
    if tally.removed:
        records = (
            "record without a remaining source was"
            if tally.removed == 1
            else "records without a remaining source were"
        )
        say(f"{tally.removed} {records} removed")
    elif tally.changed or tally.missing:
        say("records without a remaining source are kept and marked; --prune removes them")
