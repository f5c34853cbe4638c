"""`index create`, `index reindex`, `index optimize`, `index info`."""

from __future__ import annotations

import dataclasses
from typing import Annotated

import typer

from facsimile.cli.options import IndexOption, JsonOption, YesOption, confirm, open_library
from facsimile.cli.output import complain, emit, progress, say
from facsimile.cli.status import say_info


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Create, rebuild and inspect an index.", no_args_is_help=True)
    group.command("create")(create)
    group.command("reindex")(reindex)
    group.command("optimize")(optimize)
    group.command("info")(info)
    group.command("delete")(delete)
    app.add_typer(group, name="index")


def delete(
    index: IndexOption = None,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete an index with all its records, jobs, scans and keys."""
    with open_library(index) as library:
        number, location = library.count(), library.index.location
        if not yes:
            confirm(f"Delete {location} with {number:,} images?")
        library.index.destroy()
    if json:
        emit({"deleted": number})
    else:
        say(f"deleted the index {location} with {number:,} images")


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="facsimile, augnet, torchvision:NAME[:WEIGHTS], torchscript:FILE; none: hashes alone.",
    ),
]


def create(index: IndexOption = None, model: ModelOption = None, json: JsonOption = False) -> None:
    """Create an empty index. (`ingest` creates one where there is none.)"""
    from facsimile.search.index.opening import create_index, signatures_of
    from facsimile.settings import settings

    chosen = settings()
    signatures = signatures_of(chosen.new_model(model))
    with create_index(index or chosen.index, signatures, chosen.elastic) as made:
        found = made.info()
    if json:
        emit(found.as_json())
    else:
        say(f"created the index {found.location}")


def reindex(
    index: IndexOption = None,
    model: ModelOption = None,
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch remote sources again instead of using their thumbnails.")
    ] = False,
    panels: Annotated[
        bool, typer.Option("--panels", help="Find the pictures within each picture anew (tiles, insets).")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Rebuild an index with the current layout and settings, or with another model.

    Searches use the old index until the new one is complete. The next call continues an interrupted run.
    """
    from facsimile.reindex import reindex
    from facsimile.settings import settings

    chosen = settings()
    with progress(quiet=json) as bar:
        task = bar.add_task("reindex", total=None)
        try:
            found, tally = reindex(
                index or chosen.index,
                chosen,
                model=model,
                fetch=fetch,
                panels=panels,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
        except KeyboardInterrupt:
            bar.stop()
            complain("interrupted; run the same command again to continue")
            raise typer.Exit(130) from None
    if json:
        emit(found.as_json() | dataclasses.asdict(tally))
    else:
        say(f"rebuilt {found.location} as {found.physical}: {found.count:,} images")
        say(
            f"signatures of {tally.from_sources:,} images from their sources, of {tally.from_thumbnails:,} "
            f"from thumbnails; {tally.kept:,} unchanged"
        )
    if tally.without:
        complain(f"{tally.without:,} images have none: neither their source nor a thumbnail can be read")
        raise typer.Exit(1)


def optimize(index: IndexOption = None, json: JsonOption = False) -> None:
    """Merge the segments of an index after many writes, so that searches take less time.

    Searches and writes go on meanwhile. An embedded index has nothing to merge.
    """
    from facsimile.search.index.opening import open_index
    from facsimile.settings import settings

    chosen = settings()
    with open_index(index or chosen.index, chosen.elastic) as opened, progress(quiet=json) as bar:
        task = bar.add_task("merge", total=None)
        before, after = opened.optimize(lambda done, total: bar.update(task, completed=done, total=total))
    if json:
        emit({"location": opened.location, "segments_before": before, "segments": after})
    else:
        say(f"{opened.location}: {before:,} segments before, {after:,} now")


def info(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show the contents of an index and the versions that made it."""
    with open_library(index) as library:
        found = library.index.info()
    if json:
        emit(found.as_json())
    else:
        say_info(found)
