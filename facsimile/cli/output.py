"""Output of commands: results on stdout, as text for people or one JSON object per line for programs;
progress and problems on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

from facsimile.search.secrets import without_url_secrets

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress

    from facsimile.imaging.record import Record

#: width of tables where no terminal sets one, so that a match stays on one line
_NO_FOLDING = 10_000


@cache
def console() -> Console:
    """The console for results: stdout, also where it is a pipe."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _NO_FOLDING
    return Console(highlight=False, soft_wrap=True, width=width)


def say(text: str) -> None:
    """Print a line of a result to stdout; names of files may hold brackets and control characters."""
    console().print(visible(without_url_secrets(text)), markup=False)


def note(text: str) -> None:
    """Print a line to stderr that is no result: what is in progress, or what to do next."""
    print(visible(without_url_secrets(text)), file=sys.stderr)


def complain(text: str) -> None:
    """Print a line about a problem to stderr."""
    print(f"facsimile: {visible(without_url_secrets(text))}", file=sys.stderr)


def emit(value: Any) -> None:
    """Print one JSON object on a line of its own to stdout."""
    import orjson

    sys.stdout.buffer.write(orjson.dumps(_public(value), default=str, option=orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()


def _public(value: Any) -> Any:
    """The value without the secrets of addresses in it."""
    if isinstance(value, str):
        return without_url_secrets(value)
    if isinstance(value, dict):
        return {name: _public(one) for name, one in value.items()}
    return [_public(one) for one in value] if isinstance(value, list | tuple) else value


def places_of(record: Record) -> str:
    """The first place of a record, and how many others it has."""
    others = len(record.present) - 1
    return record.place + (f" and {others} more {'place' if others == 1 else 'places'}" if others > 0 else "")


def visible(text: str) -> str:
    """The text with control characters (a newline in a file's name, say) made visible."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)


@contextmanager
def progress(quiet: bool = False) -> Iterator[Progress]:
    """A progress bar with count, rate and time left; hidden if `quiet` or without a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        ProgressColumn,
        SpinnerColumn,
        Task,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.text import Text

    class Rate(ProgressColumn):
        def render(self, task: Task) -> Text:
            return Text(f"{task.speed or 0:,.0f}/s")

    screen = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        Rate(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=screen, transient=True, disable=quiet or not screen.is_terminal) as bar:
        yield bar
