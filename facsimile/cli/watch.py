"""`watch`, `sync`."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli.ingest import SHOWN, ingest
from facsimile.cli.options import IndexOption, JsonOption, collection_name, open_library
from facsimile.cli.output import complain, emit, note, say

if TYPE_CHECKING:
    from facsimile.ingest.item import Outcome, Tally

FoldersArgument = Annotated[
    list[Path], typer.Argument(metavar="FOLDER", exists=True, file_okay=False, help="Folders of images.")
]
TargetOption = Annotated[
    str,
    typer.Option(
        "--collection", "-c", metavar="C", callback=collection_name, help="Collection of the images."
    ),
]
ProcessesOption = Annotated[
    int, typer.Option("--processes", "-j", min=0, help="Processes that read images; 0: one per core.")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("sync")(sync)
    app.command("watch")(watch)


def sync(
    folders: FoldersArgument,
    index: IndexOption = None,
    collection: TargetOption = "default",
    processes: ProcessesOption = 0,
    json: JsonOption = False,
) -> None:
    """Make the index hold what the folders hold: `ingest --prune`."""
    ingest([str(folder) for folder in folders], index, collection, processes, prune=True, json=json)


def watch(
    folders: FoldersArgument,
    index: IndexOption = None,
    collection: TargetOption = "default",
    processes: ProcessesOption = 0,
    prune: Annotated[
        bool,
        typer.Option(
            "--prune", help="Remove records all of whose sources are gone; otherwise they are marked."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Store the images of folders, then follow what is added, changed, moved and removed there, until
    Ctrl-C."""
    failed: list[str] = []
    stop = Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())

    def on_outcome(outcome: Outcome) -> None:
        if outcome.reason:
            failed.append(f"{outcome.item.source}: {outcome.reason}")

    def on_tally(tally: Tally) -> None:
        for each in failed[:SHOWN]:
            complain(each)
        if len(failed) > SHOWN:
            complain(f"… and {len(failed) - SHOWN} more")
        failed.clear()
        if json:
            emit(tally.counts)
            return
        counts = ", ".join(f"{count} {name}" for name, count in tally.counts.items() if count)
        say(f"{time.strftime('%H:%M:%S')}  {counts or 'no images'}")

    with open_library(index, create=True) as library:
        if not json:
            note(f"watching {', '.join(map(str, folders))}")
        library.watch(
            *folders,
            collection=collection,
            processes=processes,
            prune=prune,
            stop=stop,
            on_tally=on_tally,
            on_outcome=on_outcome,
            on_wait=lambda error: complain(f"{error}; trying again"),
        )
