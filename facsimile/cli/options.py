"""Options that several commands share."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facsimile.cli import completion
from facsimile.search.errors import InvalidRequest

if TYPE_CHECKING:
    from facsimile.library import Facsimile


def _located(context: typer.Context, index: str | None) -> str | None:
    """A callback for the index: `@NAME` is one in the data folder, also where the setting says so."""
    if context.resilient_parsing:
        return index
    from facsimile.settings import settings

    given = index or settings().index
    if not given.startswith("@"):
        return index
    from facsimile.opening import named_index

    return named_index(given, settings().data_folder)


IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        "-i",
        metavar="INDEX",
        callback=_located,
        help="Folder, @NAME in your data folder, or http(s)://HOST[,HOST…]/NAME. Otherwise FACSIMILE_INDEX, "
        "or facsimile-index.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
CollectionOption = Annotated[
    str | None,
    typer.Option(
        "--collection",
        "-c",
        metavar="C",
        autocompletion=completion.collections,
        help="Only this collection.",
    ),
]
YesOption = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def new_file(path: Path | None) -> Path | None:
    """A callback for output files: an invalid name is reported before the work, not after it."""
    if path is None:
        return None
    if path.is_dir():
        raise InvalidRequest(f"{path} is a folder")
    if not path.parent.is_dir():
        raise InvalidRequest(f"there is no folder {path.parent}")
    if not os.access(path.parent, os.W_OK):
        raise InvalidRequest(f"the folder {path.parent} is not writable")
    return path


HtmlOption = Annotated[
    Path | None,
    typer.Option("--html", metavar="FILE", callback=new_file, help="Write an HTML page with images here."),
]


def collection_name(name: str) -> str:
    """A callback for names of collections: an invalid one is refused before an index is created."""
    from facsimile.search.index.validation import check_collection

    return check_collection(name) if name else name


def require_collections(library: Facsimile, *collections: str) -> None:
    """Raise InvalidRequest where there is no such collection: a mistyped name is not an empty answer."""
    for name in collections:
        if not library.count(collection=name):
            raise InvalidRequest(f"there is no collection {name} in {library.index.location}")


def confirm(question: str) -> None:
    """Ask before what cannot be undone. Raises InvalidRequest where nobody can answer, and Abort for a no."""
    if not sys.stdin.isatty():
        raise InvalidRequest(f"{question} Confirm it with --yes")
    typer.confirm(question, abort=True, err=True)


def open_library(index: str | None, *, create: bool = False) -> Facsimile:
    """The index that `--index` or the settings name."""
    from facsimile.opening import open

    return open(index, create=create)
