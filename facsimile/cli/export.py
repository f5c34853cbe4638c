"""`export`, `import`."""

from __future__ import annotations

import enum
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from facsimile.cli.ingest import ingest
from facsimile.cli.options import (
    CollectionOption,
    IndexOption,
    JsonOption,
    new_file,
    open_library,
    require_collections,
)
from facsimile.cli.output import complain, emit, note, progress, say
from facsimile.search.errors import InvalidRequest


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("export")(export)
    app.command("import")(import_)


def export(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", callback=new_file, help="JSON Lines; compressed if it ends in .gz."),
    ],
    index: IndexOption = None,
    collection: CollectionOption = None,
    state: Annotated[
        bool,
        typer.Option(
            "--with-state/--without-state",
            help="Include scans, findings, reviews, allow-list, jobs, dead letters and keys (default); "
            "they belong to no single collection, so --collection excludes them.",
        ),
    ] = True,
    json: JsonOption = False,
) -> None:
    """Write all records and the state of an index to a file that `import` reads, into either kind of
    index."""
    from facsimile.search.export import exported_entries, save
    from facsimile.search.index.state.base import Entry
    from facsimile.search.query import Filter

    collections = (collection,) if collection else ()
    with open_library(index) as library, progress(quiet=json) as bar:
        require_collections(library, *collections)
        task = bar.add_task("export", total=library.count(collection=collection))
        records = library.index.scan(Filter(collections), full=True)
        entries = exported_entries(library.index.state) if state and not collection else ()
        number = 0
        kept = 0
        for each in save(file, library.index.signatures, chain(records, entries)):
            kept += isinstance(each, Entry)
            number += not isinstance(each, Entry)
            bar.advance(task)
    if json:
        emit({"exported": number, "failed": 0, "entries": kept})
    else:
        say(f"{number} records and {kept} state entries exported")


class Origin(enum.StrEnum):
    """What an import reads."""

    FACSIMILE = "facsimile"
    IMAGE_MATCH = "image-match"


def import_(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE", help="A file of `export`; with --from image-match http(s)://HOST:PORT/INDEX."
        ),
    ],
    index: IndexOption = None,
    origin: Annotated[
        Origin,
        typer.Option(
            "--from",
            help="What FILE is. The images of an index of image-match are read again from their paths.",
        ),
    ] = Origin.FACSIMILE,
    collection: CollectionOption = None,
    state: Annotated[
        bool, typer.Option("--with-state/--without-state", help="Import the state, too (default).")
    ] = True,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Continue jobs and schedules of scans that were in progress: only if the exported index "
            "is not used any more. Otherwise they are halted.",
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Read what `export` has written, or an index of image-match. Existing records are not changed, so a call
    can be repeated."""
    if origin is Origin.IMAGE_MATCH:
        _import_image_match(file, index, collection, json=json)
        return
    if collection:
        raise InvalidRequest("--collection is for --from image-match: records keep their collections")
    if not Path(file).is_file():
        raise InvalidRequest(f"{file} is not a file")
    from facsimile.search.export import load
    from facsimile.search.index.base import Status
    from facsimile.search.index.state.base import Entry
    from facsimile.workers.state_import import StateImporter

    number = failed = kept = 0
    with open_library(index, create=True) as library, progress(quiet=json) as bar:
        task = bar.add_task("import", total=None)
        importer = StateImporter(library.index.state, resume=resume)
        for batch in load(Path(file), library.index.signatures):
            records = [each for each in batch if not isinstance(each, Entry)]
            entries = [each for each in batch if isinstance(each, Entry)] if state else []
            for record, written in zip(records, library.index.put(records), strict=True):
                if written.status is Status.FAILED:
                    failed += 1
                    complain(f"{record.id}: {written.reason}")
                else:
                    number += 1
            importer.put(entries)
            kept += len(entries)
            bar.advance(task, len(batch))
        library.index.refresh()
        library.index.state.refresh()
    if json:
        emit({"imported": number, "failed": failed, "entries": kept, "halted": importer.halted})
    else:
        told = f", {failed} failed" if failed else ""
        say(f"{number} records and {kept} state entries imported{told}")
    if importer.halted and not json:
        say(f"{importer.halted} of them were in progress, and are halted here:")
        say("`facsimile letters` lists the images, `facsimile scans` the scans to start again")
    if failed:
        raise typer.Exit(1)


def _import_image_match(address: str, index: str | None, collection: str | None, *, json: bool) -> None:
    """Ingest the images of an index of image-match, by a list of their paths."""
    from facsimile.compat.image_match_index import write_manifest
    from facsimile.imaging.record import DEFAULT_COLLECTION
    from facsimile.settings import settings

    with TemporaryDirectory() as folder:
        manifest = Path(folder) / "image-match.jsonl"
        number = write_manifest(address, manifest, settings().elastic)
        if not json:
            note(f"{number} documents in {address}")
        ingest([str(manifest)], index, collection or DEFAULT_COLLECTION, json=json)
