"""`/v1/collections`: the catalogues and tenants of an index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.schemas import Collection
from facsimile.api.stages import Work
from facsimile.search.errors import RecordNotFound
from facsimile.search.query import Filter

router = APIRouter(prefix="/v1/collections", tags=["collections"])


class One(BaseModel):
    """A collection."""

    name: str = Field(examples=["catalogue-2026"])
    images: int = Field(examples=[40_211])


class Collections(BaseModel):
    """Every collection that the caller may see, by name."""

    collections: list[One]
    images: int = Field(description="those of all these collections")


class Removed(BaseModel):
    """How many images there were."""

    removed: int


_FAULTS = documented(400, 401, 403, 421, 422, 429, 503)


@router.get("", responses=_FAULTS)
async def listing(caller: Reader, work: Work) -> Collections:
    """The collections and how many images each has."""
    found = await work.ask(work.service.index.collections)
    seen = [One(name=name, images=images) for name, images in sorted(found.items()) if caller.sees(name)]
    return Collections(collections=seen, images=sum(one.images for one in seen))


@router.delete("/{name}", responses=_FAULTS | documented(404))
async def remove(name: Annotated[Collection, Path()], caller: Writer, work: Work) -> Removed:
    """Forget a whole collection."""
    if not caller.sees(name):
        raise RecordNotFound(f"there is no collection {name}")
    removed = await work.ask(work.service.index.delete_where, Filter(collections=(name,)))
    if not removed:
        raise RecordNotFound(f"there is no collection {name}")
    work.metrics.changed()
    return Removed(removed=removed)
