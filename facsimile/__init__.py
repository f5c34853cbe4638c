"""Facsimile finds every copy of an image, even edited.

import facsimile

with facsimile.open("my-index") as index:
    index.ingest("photos/")
    for match in index.search("suspect.jpg"):
        print(match.verdict, match.record.source)

`facsimile.Client("http://localhost:8000")` does the same with a server, `facsimile.AsyncClient` in asyncio.
Every error is a subclass of `FacsimileError`; all of them are in `facsimile.errors` and importable from here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from facsimile import errors
from facsimile.errors import *  # noqa: F403
from facsimile.version import __version__

if TYPE_CHECKING:
    from facsimile.client.async_client import AsyncClient
    from facsimile.client.client import Client
    from facsimile.imaging.record import ImageRecord, Key, Record
    from facsimile.ingest.item import Item, Outcome, Tally
    from facsimile.library import Facsimile
    from facsimile.matches import Matches
    from facsimile.opening import open
    from facsimile.protocol import Library
    from facsimile.results import Comparison, Finding, Job, Scan, ScanResult, Stored
    from facsimile.search.duplicates.cluster import Cluster, Member
    from facsimile.search.match import Match, Verdict
    from facsimile.search.params import SearchParams
    from facsimile.search.proof import Proof
    from facsimile.search.transformation import Transformation
    from facsimile.settings import Settings

#: the module of each public name: they are loaded at their first use, so that importing the package is fast
_MODULES = {
    "AsyncClient": "facsimile.client.async_client",
    "Client": "facsimile.client.client",
    "Cluster": "facsimile.search.duplicates.cluster",
    "Comparison": "facsimile.results",
    "Facsimile": "facsimile.library",
    "Finding": "facsimile.results",
    "ImageRecord": "facsimile.imaging.record",
    "Item": "facsimile.ingest.item",
    "Job": "facsimile.results",
    "Key": "facsimile.imaging.record",
    "Library": "facsimile.protocol",
    "Match": "facsimile.search.match",
    "Matches": "facsimile.matches",
    "Member": "facsimile.search.duplicates.cluster",
    "Outcome": "facsimile.ingest.item",
    "Proof": "facsimile.search.proof",
    "Record": "facsimile.imaging.record",
    "Scan": "facsimile.results",
    "ScanResult": "facsimile.results",
    "SearchParams": "facsimile.search.params",
    "Settings": "facsimile.settings",
    "Stored": "facsimile.results",
    "Tally": "facsimile.ingest.item",
    "Transformation": "facsimile.search.transformation",
    "Verdict": "facsimile.search.match",
    "open": "facsimile.opening",
}

__all__ = [  # noqa: PLE0604
    "AsyncClient",
    "Client",
    "Cluster",
    "Comparison",
    "Facsimile",
    "Finding",
    "ImageRecord",
    "Item",
    "Job",
    "Key",
    "Library",
    "Match",
    "Matches",
    "Member",
    "Outcome",
    "Proof",
    "Record",
    "Scan",
    "ScanResult",
    "SearchParams",
    "Settings",
    "Stored",
    "Tally",
    "Transformation",
    "Verdict",
    "open",
    "__version__",
    "errors",
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
