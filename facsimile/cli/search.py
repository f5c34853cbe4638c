"""`search`, `compare`."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facsimile.cli import completion
from facsimile.cli.options import HtmlOption, IndexOption, JsonOption, open_library, require_collections
from facsimile.cli.output import complain, console, emit, note, places_of, say, visible
from facsimile.imaging.errors import FacsimileError
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.ingest.item import Item, Outcome
    from facsimile.library import Facsimile
    from facsimile.query_reader import QueryReader
    from facsimile.search.html_report import Answer
    from facsimile.search.match import Match
    from facsimile.search.params import SearchParams
    from facsimile.search.proof import Proof
    from facsimile.search.query import QueryImage

#: images that are described and searched for as one batch
_BATCH = 16

VerifyOption = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Prove the best matches by geometry (default).")
]


class SearchMode(StrEnum):
    """What a search looks for."""

    COPIES = "copies"
    SIMILAR = "similar"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("search")(search)
    app.command("compare")(compare)


def search(
    images: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="IMAGE", help="Files, folders, URLs, - (stdin), id:ID of a stored image, or id:PATH."
        ),
    ] = None,
    index: IndexOption = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(
            "--collection",
            "-c",
            metavar="C",
            autocompletion=completion.collections,
            help="Only these collections.",
        ),
    ] = None,
    mode: Annotated[
        SearchMode, typer.Option("--mode", "-m", help="Copies of the image, or images that resemble it.")
    ] = SearchMode.COPIES,
    limit: Annotated[int, typer.Option("--limit", "-n", help="Largest number of matches of one image.")] = 10,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", metavar="KEY=VALUE", help="Only records with this field or metadata."),
    ] = None,
    text: Annotated[str, typer.Option("--text", "-t", metavar="WORDS", help="Words of title or tags.")] = "",
    upright: Annotated[bool, typer.Option("--upright", help="Search for no flips and turns.")] = False,
    probes: Annotated[
        str,
        typer.Option(help="0 to 3 doubtful bits per band, or all: no copy within distance 31 is missed."),
    ] = "2",
    verify: VerifyOption = True,
    html: HtmlOption = None,
    json: JsonOption = False,
) -> None:
    """Find where images occur, even edited."""
    from facsimile.imaging.orientation import ORIENTATIONS
    from facsimile.search.html_report import search_page
    from facsimile.search.params import SearchParams

    if not images and not text:
        raise InvalidRequest("name an image to search for, or --text WORDS")
    answers: list[Answer] = []
    failed = 0
    params = SearchParams(
        limit=limit,
        mode=mode.value,
        collections=collection or (),
        filter=_terms(filter or ()),
        text=text,
        orientations=("upright",) if upright else ORIENTATIONS,
        probes=int(probes) if probes.isdecimal() else probes,  # type: ignore[arg-type]
        verify=verify,
    )
    with open_library(index) as library:
        require_collections(library, *(collection or ()))
        if not images:
            _show(text, library.finder.search_text(params), None, json=json)
            return
        items = _items(images, library.settings.max_bytes)
        while batch := list(islice(items, _BATCH)):
            failed += _search(library, batch, params, answers if html else None, json=json)
        if html:
            html.write_text(search_page(library.index, answers), encoding="utf-8")
            note(f"wrote {html}")
    if failed:
        raise typer.Exit(1)


def _terms(pairs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Filters by key; several values of one key are alternatives."""
    terms: dict[str, tuple[str, ...]] = {}
    for pair in pairs:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise InvalidRequest(f"--filter takes KEY=VALUE, not {pair!r}")
        terms[key] = (*terms.get(key, ()), value)
    return terms


def _items(images: list[str], max_bytes: int) -> Iterator[Item | Outcome]:
    """The query images; folders, globs, archives and lists stand for the images in them."""
    from facsimile.ingest.item import Item
    from facsimile.ingest.sources import items

    for image in images:
        if image == "-":
            yield Item(image, data=sys.stdin.buffer.read())
        elif image.startswith("id:"):
            yield Item(image)
        else:
            for each in items(image, max_bytes=max_bytes):
                if isinstance(each, Item) and each.source == str(Path(image).absolute()):
                    yield dataclasses.replace(each, source=image)  # the name that the user gave
                else:
                    yield each


def _search(
    library: Facsimile,
    items: list[Item | Outcome],
    params: SearchParams,
    answers: list[Answer] | None,
    *,
    json: bool,
) -> int:
    """Search for a batch of images and show the matches; returns how many images could not be read."""
    from facsimile.ingest.item import Item
    from facsimile.search.html_report import Answer
    from facsimile.search.query import QueryImage

    start = time.perf_counter()
    read = iter(library.queries.read_many([item for item in items if isinstance(item, Item)]))
    queries = [(_name(item), next(read) if isinstance(item, Item) else item.reason) for item in items]
    readable = [query for _, query in queries if isinstance(query, QueryImage)]
    found = iter(library.finder.search_many(readable, params) if readable else [])
    took = 1000 * (time.perf_counter() - start) / len(items)
    for name, query in queries:
        if not isinstance(query, QueryImage):
            complain(f"{name}: {query}")
            if json:
                emit({"query": name, "error": str(query)})
            continue
        matches = next(found)
        _show(name, matches, took, json=json)
        if query.description.quality == 0 and not json:
            say("  a blank image, which resembles every other blank one: only identical images are matched")
        if answers is not None:
            shown = query.description
            answers.append(Answer(name, shown.thumbnail, shown.width, shown.height, matches))
    return len(items) - len(readable)


def _name(item: Item | Outcome) -> str:
    from facsimile.ingest.item import Outcome

    return (item.item if isinstance(item, Outcome) else item).place


def _show(name: str, matches: list[Match], took: float | None, *, json: bool) -> None:
    if json:
        answer = {"query": name, "matches": [match.as_json() for match in matches]}
        emit(answer if took is None else {**answer, "took_ms": round(took, 1)})
        return
    say(f"{name}: {len(matches) or 'no'} match{'' if len(matches) == 1 else 'es'}")
    if matches:
        console().print(_table(matches))


def _table(matches: list[Match]) -> Any:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 2))
    for heading, side in (
        ("verdict", "left"),
        ("score", "right"),
        ("bits", "right"),
        ("cosine", "right"),
        ("edit", "left"),
    ):
        table.add_column(heading, justify=side, no_wrap=True)  # type: ignore[arg-type]
    table.add_column("source", overflow="fold")
    colours = {"identical": "magenta", "copy": "red", "similar": "yellow", "text": "cyan"}
    for match in matches:
        table.add_row(
            Text(match.verdict, colours[match.verdict]),
            f"{match.score:.2f}",
            "" if match.hamming is None else str(match.hamming),
            "" if match.cosine is None else f"{match.cosine:.2f}",
            ", ".join(part for part in (match.note, match.edit) if part),
            Text(visible(places_of(match.record))),
        )
    return table


def compare(
    first: Annotated[str, typer.Argument(metavar="A", help="A file, a URL, or id:ID.")],
    second: Annotated[str, typer.Argument(metavar="B")],
    index: IndexOption = None,
    verify: VerifyOption = True,
    json: JsonOption = False,
) -> None:
    """Show every distance of two images."""
    from facsimile.query_reader import ID_PREFIX, QueryReader
    from facsimile.search.comparison import compare as compare_descriptions
    from facsimile.settings import settings

    chosen = settings()
    with ExitStack() as stack:
        if any(name.startswith(ID_PREFIX) for name in (first, second)):
            queries = stack.enter_context(open_library(index)).queries
        else:  # two files need no index
            queries = stack.enter_context(closing(QueryReader(chosen, chosen.new_model())))
        a, b = (_named(queries, name).description for name in (first, second))
    comparison = compare_descriptions(a, b, chosen.thresholds, chosen.verification, verify=verify)
    values = comparison.as_json()
    if json:
        emit({"a": first, "b": second, **values})
        return
    say(f"verdict        {values['verdict']} (score {values['score']:.2f})")
    say(f"bits differing {values['hamming_upright']} of 256 as they are")
    say(f"               {values['hamming_trimmed']} without margins")
    best = "a picture is blank" if values["hamming"] is None else values["hamming"]
    say(f"               {best} at best ({values['orientation']})")
    if values["cosine"] is not None:
        say(f"cosine         {values['cosine']:.3f}")
    say(f"same bytes     {'yes' if values['same_bytes'] else 'no'}")
    say(f"same pixels    {'yes' if values['same_pixels'] else 'no'}")
    if verify:
        _say_proof(comparison.proof)


def _say_proof(found: Proof | None) -> None:
    if found is None:
        say("geometry       no transformation fits")
        return
    proof = found.as_json()
    say(f"geometry       {proof['finding']} ({found.basis})")
    say(f"pixels agree   {proof['agreement']:.2f} (median correlation of the common area)")
    say(f"edit of A      {proof['transform']['words'] or 'none'}")
    for name, side in (("A", "stored"), ("B", "query")):
        corners = "  ".join(f"{100 * x:.0f},{100 * y:.0f}" for x, y in proof["area"][side])
        say(f"area in {name}      {corners} (% of width, height)")


def _named(queries: QueryReader, name: str) -> QueryImage:
    """The image as a query; an error says which of the two it concerns."""
    try:
        return queries.read(name)
    except FacsimileError as error:
        complain(f"{name}: {error}")
        raise typer.Exit(error.exit_code) from None
