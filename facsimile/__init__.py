"""Facsimile finds every copy of an image, even edited.

import facsimile

with facsimile.open("my-index") as index:
    index.ingest("photos/")
    for match in index.search("suspect.jpg"):
        print(match.verdict, match.record.source)

`facsimile.Client("http://localhost:8000")` does the same with a server.
Every error is a subclass of `FacsimileError`; all of them are in `facsimile.errors` and importable from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facsimile import errors
from facsimile.errors import *  # noqa: F403
from facsimile.version import __version__

if TYPE_CHECKING:
    from facsimile.client.client import Client
    from facsimile.imaging.record import ImageRecord, Key
    from facsimile.ingest.item import Item, Outcome, Tally
    from facsimile.library import Facsimile, open
    from facsimile.search.comparison import Comparison
    from facsimile.search.duplicates.cluster import Cluster, Member
    from facsimile.search.match import Match, Verdict
    from facsimile.search.proof import Proof
    from facsimile.search.transformation import Transformation
    from facsimile.settings import Settings

#: the module of each public name: they are loaded at their first use, so that importing the package is fast
_MODULES = {
    "Client": "facsimile.client.client",
    "Cluster": "facsimile.search.duplicates.cluster",
    "Comparison": "facsimile.search.comparison",
    "Facsimile": "facsimile.library",
    "ImageRecord": "facsimile.imaging.record",
    "Item": "facsimile.ingest.item",
    "Key": "facsimile.imaging.record",
    "Match": "facsimile.search.match",
    "Member": "facsimile.search.duplicates.cluster",
    "Outcome": "facsimile.ingest.item",
    "Proof": "facsimile.search.proof",
    "Settings": "facsimile.settings",
    "Tally": "facsimile.ingest.item",
    "Transformation": "facsimile.search.transformation",
    "Verdict": "facsimile.search.match",
    "open": "facsimile.library",
}

__all__ = [  # noqa: PLE0604
    "Client",
    "Cluster",
    "Comparison",
    "Facsimile",
    "ImageRecord",
    "Item",
    "Key",
    "Match",
    "Member",
    "Outcome",
    "Proof",
    "Settings",
    "Tally",
    "Transformation",
    "Verdict",
    "__version__",
    "errors",
    "open",
    *errors.__all__,
]


def __getattr__(name: str) -> Any:
    """Load a public name at its first use."""
    if module := _MODULES.get(name):
        value = getattr(import_module(module), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module 'facsimile' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
