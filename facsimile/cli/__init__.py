"""The command line. Each command lives in a module of its own and loads what it needs when it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from facsimile.cli import (
    allow,
    calibrate,
    demo,
    duplicates,
    evaluate,
    export,
    index,
    ingest,
    keys,
    queue,
    records,
    remove,
    scan,
    search,
    serve,
    status,
    watch,
)
from facsimile.cli.output import complain
from facsimile.imaging.errors import FacsimileError
from facsimile.version import __version__

app = typer.Typer(
    name="facsimile",
    help="Find every copy of an image, even edited.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"facsimile {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", "-V", callback=_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    """Find every copy of an image, even edited.

    An index is a folder (embedded, no service needed) or http(s)://HOST/NAME on Elasticsearch. Choose it
    with --index or the variable FACSIMILE_INDEX.
    """


#: the modules of commands by the headings under which `--help` lists them
GROUPS = {
    "Search": (search, evaluate, calibrate, demo),
    "Index": (ingest, watch, records, remove, status, export, index),
    "Duplicates": (duplicates,),
    "Scans": (scan, allow),
    "Queue": (queue,),
    "Server": (serve, keys),
}

for heading, modules in GROUPS.items():
    commands, groups = len(app.registered_commands), len(app.registered_groups)
    for module in modules:
        module.register(app)
    for command in app.registered_commands[commands:]:
        command.rich_help_panel = heading
    for group in app.registered_groups[groups:]:
        group.rich_help_panel = heading


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 done with failed items, 2 usage, 3 a service is unreachable, 130
    interrupted (Typer's own)."""
    try:
        app(prog_name="facsimile")  # also as `python -m facsimile`, for completion
    except FacsimileError as error:
        complain(str(error))
        sys.exit(error.exit_code)
    except OSError as error:  # a file that we write: a full disk, a folder that went away
        complain(f"{error.filename}: {error.strerror}" if error.filename else str(error))
        sys.exit(1)
