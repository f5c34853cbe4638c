"""Values that a shell completes: those that an index holds. A failure completes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import typer

from facsimile.imaging.errors import FacsimileError

if TYPE_CHECKING:
    from facsimile.search.index.base import Index


def collections(context: typer.Context, incomplete: str) -> list[str]:
    """The collections of the index."""
    return _beginning(context, incomplete, lambda index: index.collections())


def scans(context: typer.Context, incomplete: str) -> list[str]:
    """The names of its scans."""

    def names(index: Index) -> Iterable[str]:
        from facsimile.workers.scanning.scans import Scans

        return (scan.name for scan in Scans(index.state).all())

    return _beginning(context, incomplete, names)


def jobs(context: typer.Context, incomplete: str) -> list[str]:
    """The ids of its jobs."""

    def ids(index: Index) -> Iterable[str]:
        from facsimile.workers.ledger.jobs import Jobs

        return (job.id for job in Jobs(index.state).all())

    return _beginning(context, incomplete, ids)


def states(context: typer.Context, incomplete: str) -> list[str]:
    """The states of a finding."""
    from facsimile.workers.scanning.findings import Review

    return [state for state in Review if state.startswith(incomplete)]


def _beginning(
    context: typer.Context, incomplete: str, values: Callable[[Index], Iterable[str]]
) -> list[str]:
    """The values that begin so."""
    from facsimile.opening import named_index
    from facsimile.search.index.opening import open_index
    from facsimile.settings import settings

    try:
        chosen = settings()
        location = named_index(context.params.get("index") or chosen.index, chosen.data_folder)
        with open_index(location, chosen.elastic) as index:
            return sorted(value for value in values(index) if value.startswith(incomplete))
    except FacsimileError:
        return []
