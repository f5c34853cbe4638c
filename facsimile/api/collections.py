"""`/v1/collections`: the catalogues and tenants of an index."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.problems import documented
from facsimile.api.schemas.fields import Collection
from facsimile.api.stages import Stages
from facsimile.search.errors import RecordNotFound
from facsimile.search.query import Filter

router = APIRouter(prefix="/v1/collections", tags=["collections"])


class CollectionSize(BaseModel):
    """A collection and its number of images."""

    name: str = Field(examples=["catalogue-2026"])
    images: int = Field(examples=[40_211])


class CollectionList(BaseModel):
    """Every collection that the caller may see, by name."""

    collections: list[CollectionSize]
    images: int = Field(description="images in all of them", examples=[40_211])


class Removed(BaseModel):
    """The number of images that were deleted."""

    removed: int = Field(examples=[40_211])


_ERRORS = documented(400, 401, 403, 421, 422, 429, 503)


@router.get("", responses=_ERRORS)
async def list_collections(caller: Reader, stages: Stages) -> CollectionList:
    """List the collections with their numbers of images."""
    sizes = await stages.ask(stages.service.index.collections)
    visible = [
        CollectionSize(name=name, images=images)
        for name, images in sorted(sizes.items())
        if caller.sees(name)
    ]
    return CollectionList(collections=visible, images=sum(each.images for each in visible))


@router.delete("/{name}", responses=_ERRORS | documented(404))
async def delete_collection(name: Annotated[Collection, Path()], caller: Writer, stages: Stages) -> Removed:
    """Delete all images of a collection."""
    if not caller.sees(name):
        raise RecordNotFound(f"there is no collection {name}")
    removed = await stages.ask(stages.service.index.delete_where, Filter(collections=(name,)))
    if not removed:
        raise RecordNotFound(f"there is no collection {name}")
    stages.metrics.changed()
    return Removed(removed=removed)
