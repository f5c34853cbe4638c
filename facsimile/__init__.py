"""Facsimile finds every copy of an image, even edited.

import facsimile

with facsimile.open("my-index") as index:
    index.ingest("photos/")
    for match in index.search("suspect.jpg"):
        print(match.verdict, match.record.source)

`facsimile.Client("http://localhost:8000")` does the same with a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from facsimile.version import __version__

if TYPE_CHECKING:
    from facsimile.client.client import Client
    from facsimile.library import Facsimile, open

__all__ = ["Client", "Facsimile", "__version__", "open"]


def __getattr__(name: str) -> Any:
    """The library is loaded at its first use, so that `facsimile --help` answers at once."""
    if name in ("Facsimile", "open"):
        from facsimile import library

        return getattr(library, name)
    if name == "Client":
        from facsimile.client.client import Client

        return Client
    raise AttributeError(f"module 'facsimile' has no attribute {name!r}")
