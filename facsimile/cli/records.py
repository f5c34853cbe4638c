"""`list`, `show`, `collections`: what an index holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facsimile.cli.options import (
    CollectionOption,
    IndexOption,
    JsonOption,
    open_library,
    require_collections,
)
from facsimile.cli.output import emit, places_of, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.imaging.record import ImageRecord

#: characters of an id that are shown where it is a digest
SHORT = 12

_DIGEST = 64


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_)
    app.command("show")(show)
    app.command("collections")(collections)


def list_(
    index: IndexOption = None,
    collection: CollectionOption = None,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", metavar="KEY=VALUE", help="Only records with this value; repeatable."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=0, help="Most records; 0: all.")] = 0,
    json: JsonOption = False,
) -> None:
    """List the images of an index, by collection and id."""
    terms = _terms(filter or [])
    with open_library(index) as library:
        names = (collection,) if collection else ()
        require_collections(library, *names)
        records = _with_short_ids(library.images(collections=names, filter=terms))
        for record, short in islice(records, limit or None):
            if json:
                emit(record.as_json())
            else:
                size = f"{record.width}x{record.height}"
                say(f"{record.collection}/{short}  {size}  {record.format}  {places_of(record)}")


def show(
    name: Annotated[
        str, typer.Argument(metavar="ID", help="An id, the beginning of one, or a path or address.")
    ],
    index: IndexOption = None,
    collection: CollectionOption = None,
    json: JsonOption = False,
) -> None:
    """Show all that an index knows of one image."""
    from facsimile.search.names import key_named

    with open_library(index) as library:
        key = key_named(library.finder, library.index, name, (collection,) if collection else ())
        record = library.get(key.id, collection=key.collection)
    if json:
        emit(record.as_json())
        return
    for field, value in _facts(record):
        say(f"{field:<11} {value}")


def collections(index: IndexOption = None, json: JsonOption = False) -> None:
    """List the collections of an index with their numbers of images."""
    with open_library(index) as library:
        found = library.collections()
    for name, number in sorted(found.items()):
        if json:
            emit({"collection": name, "images": number})
        else:
            say(f"{name}  {number:,}")
    if not found and not json:
        say("no collections")


def _terms(filters: list[str]) -> dict[str, list[str]]:
    terms: dict[str, list[str]] = {}
    for each in filters:
        key, separator, value = each.partition("=")
        if not (key and separator):
            raise InvalidRequest(f"--filter takes KEY=VALUE, not {each!r}")
        terms.setdefault(key, []).append(value)
    return terms


def _with_short_ids(records: Iterable[ImageRecord]) -> Iterator[tuple[ImageRecord, str]]:
    """Each record with the beginning of its id that no neighbour of its collection shares: records are
    ordered by id. Ids that are no digests stay whole."""
    before = ""
    for record, after in _with_next(records):
        near = [before] if before else []
        if after and after.collection == record.collection:
            near.append(after.id)
        length = max([SHORT, *(_shared(record.id, id) + 1 for id in near)])
        yield record, record.id[:length] if len(record.id) == _DIGEST else record.id
        before = record.id if after and after.collection == record.collection else ""


def _with_next(records: Iterable[ImageRecord]) -> Iterator[tuple[ImageRecord, ImageRecord | None]]:
    """Each record with the one after it."""
    rest = iter(records)
    record = next(rest, None)
    while record:
        after = next(rest, None)
        yield record, after
        record = after


def _shared(first: str, second: str) -> int:
    """The number of characters that two ids begin with alike."""
    return next((place for place, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)


def _facts(record: ImageRecord) -> list[tuple[str, Any]]:
    """What is known of a record, by the names of its parts; what it has none of is left out."""
    picture = f"{record.width}x{record.height} {record.format}, {record.size:,} bytes"
    facts: list[tuple[str, Any]] = [
        ("id", record.id),
        ("collection", record.collection),
        ("picture", picture if record.quality else f"{picture}, blank"),
        ("sha256", record.sha256),
        *(("source", source) for source in record.present),
        *(("gone", source) for source in record.gone),
        *(("page", page.url) for page in record.pages),
        ("title", record.title),
        ("tags", ", ".join(record.tags)),
        *((f"{key}", value) for key, value in record.metadata.items()),
        ("stored", f"{record.added_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    return [(field, value) for field, value in facts if value not in ("", None)]
