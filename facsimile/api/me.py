"""`GET /v1/me`: what a key may do."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from facsimile.api.auth import AnyCaller
from facsimile.api.problems import documented

router = APIRouter(prefix="/v1/me", tags=["operation"])


class Me(BaseModel):
    """The sender of the request, as the server sees it."""

    name: str = Field(description="the id of the key, or the address of a caller without one")
    scopes: list[Literal["read", "write", "admin"]]
    collections: list[str] = Field(description="those that the key is limited to; empty: all")
    requests_per_second: float | None = Field(description="null: not limited")
    version: str = Field(description="of the server", examples=["0.1.0"])


@router.get("", responses=documented(400, 401, 421, 422, 429, 503))
async def get_me(request: Request, caller: AnyCaller) -> Me:
    """Read what this key may do."""
    return Me(
        name=caller.name,
        scopes=list(caller.scopes),
        collections=list(caller.collections),
        requests_per_second=request.app.state.door.rates.rate or None,
        version=request.app.version,
    )
