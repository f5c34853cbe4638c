"""Query parameters that a route does not know are refused, as unknown fields of a body are."""

from __future__ import annotations

from collections.abc import Iterator

from fastapi import Request
from fastapi.dependencies.models import Dependant

from facsimile.api.problems import invalid


async def check_query(request: Request) -> None:
    """Raise a Problem where a request has a query parameter that its route does not declare.

    A misspelled name would otherwise widen what is asked for without a word.
    """
    if not request.query_params:
        return
    known = sorted(set(_declared(request.scope["route"].dependant)))
    if unknown := sorted(set(request.query_params) - set(known)):
        names = f"there are {', '.join(known)}" if known else "this route has none"
        faults = [{"loc": (name,), "msg": f"unknown query parameter; {names}"} for name in unknown]
        raise invalid(faults, "query")


def _declared(dependant: Dependant) -> Iterator[str]:
    """The query parameters of a route and of what it depends on."""
    yield from (parameter.alias for parameter in dependant.query_params)
    for each in dependant.dependencies:
        yield from _declared(each)
