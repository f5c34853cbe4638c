"""`count`, `status`, `export`, `import`."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facsimile.cli.options import CollectionOption, IndexOption, JsonOption, new_file, opened, within
from facsimile.cli.output import complain, emit, progress, say

if TYPE_CHECKING:
    from imaging.record import ImageRecord
    from search.index.base import IndexInfo

_BATCH = 500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("count")(count)
    app.command("status")(status)
    app.command("export")(export)
    app.command("import")(import_)


def count(index: IndexOption = None, collection: CollectionOption = None, json: JsonOption = False) -> None:
    """Print how many images an index holds."""
    with opened(index) as index_:
        number = index_.count(collection=collection)
    if json:
        emit({"count": number})
    else:
        say(str(number))


def status(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show versions, counts and health."""
    from facsimile.version import __version__

    with opened(index) as index_:
        info = index_.index.info()
    if json:
        emit({"version": __version__, "index": described(info)})
    else:
        say(f"facsimile {__version__}")
        tell(info)


def described(info: IndexInfo) -> dict[str, Any]:
    """What an index says of itself, for programs."""
    return {
        "location": info.location,
        "kind": info.kind,
        "physical": info.physical,
        "layout": info.layout,
        "hash": info.signatures.hash,
        "model": info.signatures.model or None,
        "count": info.count,
        "bytes": info.bytes,
        "collections": dict(info.collections),
        "healthy": info.healthy,
        "note": info.note,
    }


def tell(info: IndexInfo) -> None:
    """What an index says of itself, for people."""
    signatures = f"{info.signatures.hash} {info.signatures.model}".rstrip()
    say(f"index       {info.location} ({info.kind}, {info.physical})")
    say(f"health      {'good' if info.healthy else 'bad'}{': ' + info.note if info.note else ''}")
    say(f"images      {info.count:,}")
    if info.count:
        say(f"size        {info.bytes / 1e6:,.1f} MB, {info.bytes / info.count:,.0f} bytes an image")
    say(f"signatures  {signatures}, layout {info.layout}")
    for name, number in sorted(info.collections.items()):
        say(f"collection  {name}: {number:,}")


def export(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", callback=new_file, help="JSON Lines; compressed if it ends in .gz."),
    ],
    index: IndexOption = None,
    collection: CollectionOption = None,
    json: JsonOption = False,
) -> None:
    """Write all records to a file that `import` reads, into either kind of index."""
    from search.portable import save
    from search.query import Filter

    collections = (collection,) if collection else ()
    with opened(index) as index_, progress(quiet=json) as bar:
        within(index_, *collections)
        task = bar.add_task("export", total=index_.count(collection=collection))
        number = 0
        records = index_.index.scan(Filter(collections), full=True)
        for _ in save(file, index_.index.signatures, records):
            number += 1
            bar.advance(task)
    _done("exported", number, 0, json=json)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, readable=True)],
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Read records that `export` wrote. Records that are there already stay as they are."""
    from search.index.base import Status
    from search.portable import load

    number = failed = 0
    with opened(index, create=True) as index_, progress(quiet=json) as bar:
        task = bar.add_task("import", total=None)
        for batch in _batches(load(file, index_.index.signatures)):
            for record, written in zip(batch, index_.index.put(batch), strict=True):
                if written.status is Status.FAILED:
                    failed += 1
                    complain(f"{record.id}: {written.reason}")
                else:
                    number += 1
            bar.advance(task, len(batch))
        index_.index.refresh()
    _done("imported", number, failed, json=json)
    if failed:
        raise typer.Exit(1)


def _batches(records: Iterator[ImageRecord]) -> Iterator[list[ImageRecord]]:
    while batch := list(islice(records, _BATCH)):
        yield batch


def _done(what: str, number: int, failed: int, *, json: bool) -> None:
    if json:
        emit({what: number, "failed": failed})
    else:
        say(f"{number} records {what}" + (f", {failed} failed" if failed else ""))
