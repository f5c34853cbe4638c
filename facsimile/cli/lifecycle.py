"""`index create`, `index reindex`, `index info`: the life of an index."""

from __future__ import annotations

from typing import Annotated

import typer

from facsimile.cli.options import IndexOption, JsonOption, opened
from facsimile.cli.output import emit, progress, say
from facsimile.cli.transfer import described, tell


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Make, rebuild and look at an index.", no_args_is_help=True)
    group.command("create")(create)
    group.command("reindex")(reindex)
    group.command("info")(info)
    app.add_typer(group, name="index")


ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="MODEL",
        help="facsimile, augnet, torchvision:NAME[:WEIGHTS], torchscript:FILE; none: hashes alone.",
    ),
]


def create(index: IndexOption = None, model: ModelOption = None, json: JsonOption = False) -> None:
    """Make an empty index. (`ingest` makes one by itself where there is none.)"""
    from facsimile.settings import settings
    from search.index import create_index, signatures_of

    chosen = settings()
    signatures = signatures_of(chosen.new_model(model))
    with create_index(index or chosen.index, signatures, chosen.elastic) as made:
        found = made.info()
    if json:
        emit(described(found))
    else:
        say(f"made the index {found.location}")


def reindex(index: IndexOption = None, json: JsonOption = False) -> None:
    """Rebuild an index with the present layout and settings; searches go on meanwhile."""
    from facsimile.settings import settings
    from search.index import rebuild_index

    chosen = settings()
    with progress(quiet=json) as bar:
        task = bar.add_task("reindex", total=None)
        made = rebuild_index(
            index or chosen.index,
            chosen.elastic,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
        )
    with made:
        found = made.info()
    if json:
        emit(described(found))
    else:
        say(f"rebuilt {found.location} as {found.physical}: {found.count:,} images")


def info(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show what an index holds and what made it."""
    with opened(index) as index_:
        found = index_.index.info()
    if json:
        emit(described(found))
    else:
        tell(found)
