"""`/v1/images`: reading, listing and deleting stored images."""

from __future__ import annotations

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.idempotency import IdempotencyKey, once
from facsimile.api.problems import documented
from facsimile.api.query_images import key_of
from facsimile.api.schemas.fields import Collection, Image, PathId, QueryCollection, terms_of
from facsimile.api.stages import ServiceStages, Stages
from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import RecordNotFound
from facsimile.search.query import Filter, ListingPage

router = APIRouter(prefix="/v1/images", tags=["images"])

#: most images of one page of a listing
MAX_PAGE = 500

_READ = documented(400, 401, 403, 404, 408, 421, 422, 429, 503)


class ImagePage(BaseModel):
    """A page of stored images, ordered by collection and id."""

    images: list[Image]
    cursor: str | None = Field(description="asks for the next page; null at the end")


@router.get("", responses=_READ)
async def list_images(
    caller: Reader,
    stages: Stages,
    collection: Annotated[tuple[Collection, ...], Query(max_length=100, description="only these")] = (),
    filter: Annotated[tuple[str, ...], Query(max_length=100, examples=[["tags=portrait"]])] = (),
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the page before")] = None,
) -> ImagePage:
    """List the stored images; a cursor stays valid whatever is written meanwhile."""
    selected = Filter(caller.within(collection), terms_of(filter))
    page = await stages.ask(_page, stages, selected, cursor, limit)
    return ImagePage(images=[Image.of(record) for record in page.records], cursor=page.cursor)


@router.get("/{id}", responses=_READ | documented(409))
async def get_image(id: PathId, caller: Reader, stages: Stages, collection: QueryCollection = None) -> Image:
    """Read a stored image."""
    key = await key_of(stages, caller, id, collection)
    return Image.of(await _record(stages, key))


@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses={
        **_READ,
        **documented(409),
        200: {
            "content": {"image/jpeg": {"schema": {"type": "string", "format": "binary"}}},
            "description": "A JPEG of at most 320 pixels a side",
        },
        304: {"description": "The copy of the caller is current"},
    },
)
async def get_thumbnail(
    id: PathId,
    caller: Reader,
    stages: Stages,
    collection: QueryCollection = None,
    if_none_match: Annotated[str | None, Header(description="the ETag of the caller's copy")] = None,
) -> Response:
    """Read the thumbnail of a stored image."""
    key = await key_of(stages, caller, id, collection)
    record = await _record(stages, key, full=True)
    if record.thumbnail is None:
        raise RecordNotFound(f"the record {id} keeps no thumbnail")
    tag = f'"{hashlib.sha256(record.thumbnail).hexdigest()[:32]}"'
    # cached by the caller only, and revalidated each time
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, X-Api-Key",
    }
    held = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    current = tag in held or "*" in held
    stages.metrics.cache("thumbnails", hit=current)
    if current:
        return Response(status_code=304, headers=headers)
    return Response(record.thumbnail, media_type="image/jpeg", headers=headers)


@router.delete("/{id}", status_code=204, response_class=Response, responses=_READ | documented(409))
async def delete_image(
    request: Request,
    id: PathId,
    caller: Writer,
    stages: Stages,
    collection: QueryCollection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Delete a stored image."""

    async def write() -> tuple[int, None, str]:
        key = await key_of(stages, caller, id, collection)
        if not await stages.ask(_deleted, stages, key):
            raise RecordNotFound(f"no record has the id {id}")
        return 204, None, ""

    return await once(request, caller, stages, idempotency_key, collection, write)


async def _record(stages: ServiceStages, key: Key, *, full: bool = False) -> ImageRecord:
    found = await stages.ask(lambda: stages.service.index.get([key], full=full))
    if key not in found:
        raise RecordNotFound(f"no record has the id {key.id}")
    return found[key]


def _page(stages: ServiceStages, selected: Filter, cursor: str | None, limit: int) -> ListingPage:
    return stages.service.index.page(selected, cursor=cursor, limit=limit)


def _deleted(stages: ServiceStages, key: Key) -> int:
    deleted = stages.service.index.delete([key])
    stages.service.index.refresh()
    stages.metrics.changed()
    return deleted
