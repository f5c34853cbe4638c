"""Options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from facsimile.library import Facsimile

IndexOption = Annotated[
    str | None,
    typer.Option(
        "--index",
        metavar="INDEX",
        help="Folder, or http(s)://HOST[,HOST…]/NAME. Otherwise FACSIMILE_INDEX, or facsimile-index.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object per line on stdout.")]
CollectionOption = Annotated[
    str | None, typer.Option("--collection", "-c", metavar="C", help="Only this collection.")
]


def opened(index: str | None, *, create: bool = False) -> Facsimile:
    """The index that the user means."""
    from facsimile.library import open

    return open(index, create=create)
