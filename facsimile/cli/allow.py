"""`allow add`, `allow list`, `allow remove`: the allow-list of scans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli import completion
from facsimile.cli.options import IndexOption, JsonOption, open_library
from facsimile.cli.output import complain, emit, say
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.workers.scanning.allowances import Allowance


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(no_args_is_help=True, help="The allow-list: suspects that may show works.")
    group.command("add")(allow_add)
    group.command("list")(allow_list)
    group.command("remove")(allow_remove)
    app.add_typer(group, name="allow")


def allow_add(
    index: IndexOption = None,
    source: Annotated[
        str, typer.Option("--source", metavar="GLOB", help="Whole addresses or paths, * for any text.")
    ] = "",
    site: Annotated[str, typer.Option("--site", metavar="HOST", help="A host with its subdomains.")] = "",
    collection: Annotated[
        str, typer.Option("--collection", "-c", metavar="C", help="All suspects of a collection.")
    ] = "",
    suspect: Annotated[str, typer.Option("--suspect", metavar="ID", help="The record of a suspect.")] = "",
    work: Annotated[str, typer.Option("--work", metavar="ID", help="A work; ID or COLLECTION/ID.")] = "",
    scan: Annotated[
        str,
        typer.Option("--scan", metavar="NAME", autocompletion=completion.scans, help="For this scan only."),
    ] = "",
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="The reason, or the licence.")] = "",
    json: JsonOption = False,
) -> None:
    """Add to the allow-list: matching findings are not reported. If several options are given, all must
    match."""
    named = {"source": source, "site": site, "collection": collection, "suspect": suspect, "work": work}
    where = {by: pattern for by, pattern in named.items() if pattern}
    if not where:
        raise InvalidRequest("give a --source, --site, --collection, --suspect or --work")
    with open_library(index) as library:
        added = library.scanning.allow(where, scan=scan, note=note)
    if json:
        emit(added.as_json())
    else:
        say(f"{added.id}  {_allowed(added)} is allowed")


def _allowed(allowance: Allowance) -> str:
    return allowance.words + (f" in the scan {allowance.scan}" if allowance.scan else "")


def allow_list(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show the allow-list."""
    with open_library(index) as library:
        found = list(library.scanning.allowances.all())
    for each in found:
        if json:
            emit(each.as_json())
        else:
            say(f"{each.id}  {_allowed(each)}" + (f": {each.note}" if each.note else ""))
    if not found and not json:
        say("the allow-list is empty")


def allow_remove(
    ids: Annotated[list[str], typer.Argument(metavar="ALLOWANCE", help="Ids as `allow list` shows them.")],
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Remove entries of the allow-list; their findings are reported again."""
    with open_library(index) as library:
        removed = library.scanning.allowances.remove(ids)
    if json:
        emit({"removed": removed})
    else:
        say(f"{removed} removed")
    if removed < len(set(ids)):
        complain("some of these are not on the allow-list")
        raise typer.Exit(1)
