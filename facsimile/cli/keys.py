"""`keys create`, `keys list`, `keys revoke`: the API keys."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Annotated

import typer

from facsimile.cli.options import IndexOption, JsonOption, open_library
from facsimile.cli.output import emit, note, say


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(help="Create, list and revoke API keys.", no_args_is_help=True)
    group.command("create")(create)
    group.command("list")(list_)
    group.command("revoke")(revoke)
    app.add_typer(group, name="keys")


def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the user.")],
    index: IndexOption = None,
    scope: Annotated[
        list[str] | None, typer.Option("--scope", "-s", help="read, write or admin; repeatable. [read]")
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option("--collection", "-c", metavar="C", help="Only this collection; repeatable."),
    ] = None,
    json: JsonOption = False,
) -> None:
    """Create an API key. It is shown once: only its hash is stored."""
    from facsimile.api.keys import Keys

    with open_library(index, create=True) as library:
        key, text = Keys(library.index.state).create(name, scope or ["read"], collection or [])
    if json:
        emit(dataclasses.asdict(key) | {"key": text})
    else:
        note("this key is shown only once:")
        print(text)


def list_(index: IndexOption = None, json: JsonOption = False) -> None:
    """List the keys, without their secrets."""
    from facsimile.api.keys import Keys

    with open_library(index) as library:
        keys = Keys(library.index.state).all()
    for key in keys:
        if json:
            emit(dataclasses.asdict(key))
            continue
        made = datetime.fromtimestamp(key.created_at / 1000, UTC).strftime("%Y-%m-%d")
        within = ", ".join(key.collections) or "all collections"
        say(f"{key.id}  {made}  {','.join(key.scopes):<16}  {key.name} ({within})")


def revoke(
    id: Annotated[str, typer.Argument(metavar="ID", help="As `keys list` shows it.")],
    index: IndexOption = None,
    json: JsonOption = False,
) -> None:
    """Revoke a key: servers reject it within seconds."""
    from facsimile.api.keys import Keys

    with open_library(index) as library:
        Keys(library.index.state).revoke(id)
    if json:
        emit({"revoked": id})
    else:
        say(f"revoked {id}")
