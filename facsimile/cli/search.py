"""`search`, `compare`: the questions."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facsimile.cli.options import HtmlOption, IndexOption, JsonOption, opened, within
from facsimile.cli.output import complain, console, emit, say, visible
from facsimile.imaging.errors import FacsimileError
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.ingest.item import Item, Outcome
    from facsimile.library import Facsimile, Query
    from facsimile.search.finder import Request
    from facsimile.search.html_report import Answer
    from facsimile.search.match import Match

#: pictures that are asked about in one request to the index
_BATCH = 16

VerifyOption = Annotated[
    bool, typer.Option("--verify/--no-verify", help="Prove the best matches by geometry (default).")
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("search")(search)
    app.command("compare")(compare)


def search(
    images: Annotated[
        list[str] | None,
        typer.Argument(metavar="IMAGE", help="Files, folders, URLs, - (stdin), id:ID of a stored image."),
    ] = None,
    index: IndexOption = None,
    collection: Annotated[
        list[str] | None, typer.Option("--collection", "-c", metavar="C", help="Only these collections.")
    ] = None,
    mode: Annotated[
        str, typer.Option("--mode", "-m", metavar="copies|similar", help="Copies, or what looks like it.")
    ] = "copies",
    limit: Annotated[int, typer.Option("--limit", "-n", help="Most matches of one picture.")] = 10,
    filter: Annotated[
        list[str] | None,
        typer.Option("--filter", "-f", metavar="KEY=VALUE", help="Only records with this field or metadata."),
    ] = None,
    text: Annotated[str, typer.Option("--text", "-t", metavar="WORDS", help="Words of title or tags.")] = "",
    upright: Annotated[bool, typer.Option("--upright", help="Look for no flips and turns.")] = False,
    probes: Annotated[
        str,
        typer.Option(help="0 to 3 doubtful bits a band, or all: nothing within distance 31 is missed."),
    ] = "2",
    verify: VerifyOption = True,
    html: HtmlOption = None,
    json: JsonOption = False,
) -> None:
    """Find where pictures occur, even edited."""
    from facsimile.search.html_report import search_page

    if not images and not text:
        raise InvalidRequest("name an image to search for, or --text WORDS")
    answers: list[Answer] = []
    failed = 0
    with opened(index) as index_:
        within(index_, *(collection or ()))
        request = index_.request(
            limit=limit,
            collections=collection or (),
            filter=dict(_pair(pair) for pair in filter or ()),
            text=text,
            mode=mode,  # type: ignore[arg-type]
            orientations=("upright",) if upright else _all_orientations(),
            probes=int(probes) if probes.isdecimal() else probes,  # type: ignore[arg-type]
            verify=verify,
        )
        if not images:
            _tell(text, index_.search_words(request), None, json=json)
            return
        pictures = _pictures(images, index_.settings.max_bytes)
        while batch := list(islice(pictures, _BATCH)):
            failed += _search(index_, batch, request, answers if html else None, json=json)
        if html:
            html.write_text(search_page(index_.index, answers), encoding="utf-8")
            say(f"wrote {html}")
    if failed:
        raise typer.Exit(1)


def _all_orientations() -> tuple[str, ...]:
    from facsimile.imaging.orientation import ORIENTATIONS

    return ORIENTATIONS


def _pair(text: str) -> tuple[str, str]:
    key, separator, value = text.partition("=")
    if not separator or not key:
        raise InvalidRequest(f"--filter takes KEY=VALUE, not {text!r}")
    return key, value


def _pictures(images: list[str], max_bytes: int) -> Iterator[Item | Outcome]:
    """The pictures that are meant; folders, globs, archives and lists stand for what they hold."""
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
                    yield dataclasses.replace(each, source=image)  # the name by which it was asked for
                else:
                    yield each


def _search(
    index: Facsimile,
    pictures: list[Item | Outcome],
    request: Request,
    answers: list[Answer] | None,
    *,
    json: bool,
) -> int:
    """Ask about some pictures and show what was found; how many of them could not be read."""
    from facsimile.search.html_report import Answer

    start = time.perf_counter()
    described = [(_name(picture), _described(index, picture)) for picture in pictures]
    queries = [(name, query) for name, query in described if not isinstance(query, str)]
    found = index.search_described([query for _, query in queries], request) if queries else []
    took = 1000 * (time.perf_counter() - start) / len(pictures)
    for name, reason in described:
        if isinstance(reason, str):
            complain(f"{name}: {reason}")
            if json:
                emit({"query": name, "error": reason})
    for (name, query), matches in zip(queries, found, strict=True):
        _tell(name, matches, took, json=json)
        if query.description.quality == 0 and not json:
            say("  a blank picture: it would match everything, so only identical ones are looked for")
        if answers is not None:
            answers.append(Answer(name, query.description.thumbnail, matches))
    return len(described) - len(queries)


def _name(picture: Item | Outcome) -> str:
    from facsimile.ingest.item import Outcome

    return (picture.item if isinstance(picture, Outcome) else picture).place


def _described(index: Facsimile, picture: Item | Outcome) -> Query | str:
    """The picture as a query, or the reason why there is none."""
    from facsimile.ingest.item import Outcome
    from facsimile.search.errors import RecordNotFound, StoreError

    if isinstance(picture, Outcome):
        return picture.reason
    try:
        return index.describe(picture.source if picture.data is None else picture.data)
    except FacsimileError as error:
        if isinstance(error, StoreError) and not isinstance(error, RecordNotFound):
            raise
        return str(error)


def _tell(name: str, matches: list[Match], took: float | None, *, json: bool) -> None:
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
            Text(visible(match.record.place)),
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
    from facsimile.library import described
    from facsimile.search.comparison import compare as compared
    from facsimile.settings import settings

    chosen = settings()
    describe: Callable[[str], Query] = partial(described, chosen=chosen, model=chosen.new_model())
    with ExitStack() as stack:
        if any(name.startswith("id:") for name in (first, second)):  # two files need no index
            describe = stack.enter_context(opened(index)).describe
        a, b = (_named(describe, name).description for name in (first, second))
    values = compared(a, b, chosen.thresholds, chosen.verification, verify=verify).as_json()
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
        _say_proof(values["proof"])


def _say_proof(proof: dict[str, Any] | None) -> None:
    if proof is None:
        say("geometry       no transformation fits")
        return
    say(f"geometry       {proof['finding']} ({proof['inliers']} features agree, {proof['feature'].upper()})")
    say(f"pixels agree   {proof['agreement']:.2f} (median correlation of the common area)")
    say(f"edit of A      {proof['transform']['words'] or 'none'}")
    for name, side in (("A", "stored"), ("B", "query")):
        corners = "  ".join(f"{100 * x:.0f},{100 * y:.0f}" for x, y in proof["area"][side])
        say(f"area in {name}      {corners} (% of width, height)")


def _named(describe: Callable[[str], Query], name: str) -> Query:
    """The picture as a query; errors tell which of the two is meant."""
    try:
        return describe(name)
    except FacsimileError as error:
        raise type(error)(f"{name}: {error}") from error
