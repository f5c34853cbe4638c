"""`remove`: deleting records."""

from __future__ import annotations

from typing import Annotated

import typer

from facsimile.cli.options import (
    CollectionOption,
    IndexOption,
    JsonOption,
    YesOption,
    confirm,
    open_library,
    require_collections,
)
from facsimile.cli.output import complain, emit, say
from facsimile.search.errors import InvalidRequest, RecordNotFound


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("remove")(remove)


def remove(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="NAME", help="Ids or beginnings of them, paths, folders, addresses, or quoted globs."
        ),
    ] = None,
    index: IndexOption = None,
    collection: CollectionOption = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", "-n", help="Only say what would be removed.")] = False,
    yes: YesOption = False,
    json: JsonOption = False,
) -> None:
    """Delete records from the index, or a whole collection. Files are not touched.

    A path takes its place from a record; the record is deleted where it has no other place.
    """
    if not names and not collection:
        raise InvalidRequest("give the ids or paths to remove, or a --collection")
    with open_library(index) as library:
        collections = (collection,) if collection else ()
        require_collections(library, *collections)
        if not names:
            number = library.count(collection=collection)
            if not dry_run:
                if not yes:
                    confirm(f"Delete the collection {collection} with {number:,} images?")
                number = library.remove(collection=collection)
            _report(number, 0, dry_run=dry_run, json=json)
            return
        from facsimile.search.removal import Removal, merged, removals
        from facsimile.search.removal import remove as carry_out

        found: list[Removal] = []
        missing = 0
        for name in names:
            try:
                found += removals(library.finder, library.index, name, collections)
            except RecordNotFound as error:
                complain(str(error))
                missing += 1
        found = merged(found)
        if dry_run and not json:
            for each in found:
                if each.is_whole:
                    say(f"{each.record.collection}/{each.record.id}  {each.record.place}")
                else:
                    for place in sorted(each.places):
                        say(f"{each.record.collection}/{each.record.id}  only its place {place}")
        whole = sum(each.is_whole for each in found)
        places = sum(len(each.places) for each in found if not each.is_whole)
        _report(whole if dry_run else carry_out(library.index, found), places, dry_run=dry_run, json=json)
    if missing:
        raise typer.Exit(1)


def _report(records: int, places: int, *, dry_run: bool, json: bool) -> None:
    if json:
        told = {"would_remove" if dry_run else "removed": records}
        emit(told | ({"places": places} if places else {}))
        return
    words = f"{records} would be removed" if dry_run else f"{records} removed"
    if places:
        words += f", and {places} {'place' if places == 1 else 'places'} of records that have others"
    say(words)
