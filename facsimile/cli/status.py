"""`count`, `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from facsimile.cli.options import CollectionOption, IndexOption, JsonOption, open_library
from facsimile.cli.output import emit, say

if TYPE_CHECKING:
    from facsimile.search.index.base import IndexInfo


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("count")(count)
    app.command("status")(status)


def count(index: IndexOption = None, collection: CollectionOption = None, json: JsonOption = False) -> None:
    """Print the number of images in an index."""
    with open_library(index) as library:
        number = library.count(collection=collection)
    if json:
        emit({"count": number})
    else:
        say(str(number))


def status(index: IndexOption = None, json: JsonOption = False) -> None:
    """Show versions, counts and health."""
    from facsimile.cli.calibrate import say_calibration
    from facsimile.search.calibration import stored
    from facsimile.version import __version__

    with open_library(index) as library:
        info = library.index.info()
        calibrations = stored(library.index)
    if json:
        known = [calibration.as_json() for calibration in calibrations]
        emit({"version": __version__, "index": info.as_json(), "calibrations": known})
        return
    say(f"facsimile {__version__}")
    say_info(info)
    for calibration in calibrations:
        outdated = calibration.signatures != str(info.signatures)
        say_calibration(calibration, "; not used: measured with other signatures" if outdated else "")


def say_info(info: IndexInfo) -> None:
    """Print the description of an index."""
    signatures = f"{info.signatures.hash} {info.signatures.model}".rstrip()
    say(f"index       {info.location} ({info.kind}, {info.physical})")
    say(f"health      {'good' if info.healthy else 'bad'}{': ' + info.note if info.note else ''}")
    say(f"images      {info.count:,}")
    if info.count:
        say(f"size        {info.bytes / 1e6:,.1f} MB, {info.bytes / info.count:,.0f} bytes per image")
    say(f"signatures  {signatures}, layout {info.layout}")
    for name, number in sorted(info.collections.items()):
        say(f"collection  {name}: {number:,}")
