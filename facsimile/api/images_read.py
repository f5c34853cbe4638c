"""`/v1/images`: reading, listing and forgetting stored images."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from pydantic import BaseModel, Field

from facsimile.api.auth import Reader, Writer
from facsimile.api.idempotency import IdempotencyKey, once
from facsimile.api.problems import documented
from facsimile.api.query_images import key_of
from facsimile.api.schemas import Collection, Image, PathId, QueryCollection, terms_of
from facsimile.api.stages import Work, Working
from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import RecordNotFound
from facsimile.search.query import Filter, Page

router = APIRouter(prefix="/v1/images", tags=["images"])

#: most images of one part of a listing
MAX_PAGE = 500

_READ = documented(400, 401, 403, 404, 408, 421, 422, 429, 503)


class Listed(BaseModel):
    """Part of a listing, ordered by collection and id."""

    images: list[Image]
    cursor: str | None = Field(description="asks for the next part; null at the end")


@router.get("", responses=_READ)
async def listing(
    caller: Reader,
    work: Work,
    collection: Annotated[tuple[Collection, ...], Query(max_length=100, description="only these")] = (),
    filter: Annotated[tuple[str, ...], Query(max_length=100, examples=[["tags=portrait"]])] = (),
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
    cursor: Annotated[str | None, Query(max_length=4096, description="from the part before")] = None,
) -> Listed:
    """The stored images, part by part; a cursor stays good whatever is written meanwhile."""
    wanted = Filter(caller.within(collection), terms_of(filter))
    page = await work.ask(_page, work, wanted, cursor, limit)
    return Listed(images=[Image.of(record) for record in page.records], cursor=page.cursor)


@router.get("/{id}", responses=_READ | documented(409))
async def one(id: PathId, caller: Reader, work: Work, collection: QueryCollection = None) -> Image:
    """A stored image."""
    key = await key_of(work, caller, id, collection)
    return Image.of(await _record(work, key))


@router.get(
    "/{id}/thumbnail",
    response_class=Response,
    responses={
        **_READ,
        **documented(409),
        200: {"content": {"image/jpeg": {}}, "description": "A JPEG of at most 320 pixels a side"},
        304: {"description": "The copy that the caller has is good"},
    },
)
async def thumbnail(
    id: PathId,
    caller: Reader,
    work: Work,
    collection: QueryCollection = None,
    if_none_match: Annotated[str | None, Header(description="the ETag of a copy that is there")] = None,
) -> Response:
    """A small picture of a stored image."""
    key = await key_of(work, caller, id, collection)
    record = await _record(work, key, full=True)
    if record.thumbnail is None:
        raise RecordNotFound(f"the record {id} keeps no thumbnail")
    tag = f'"{hashlib.sha256(record.thumbnail).hexdigest()[:32]}"'
    # kept by the caller alone, who asks each time whether it is still good
    headers = {
        "ETag": tag,
        "Cache-Control": "private, no-cache",
        "Vary": "Authorization, X-Api-Key",
    }
    held = [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]
    good = tag in held or "*" in held
    work.metrics.cache("thumbnails", hit=good)
    if good:
        return Response(status_code=304, headers=headers)
    return Response(record.thumbnail, media_type="image/jpeg", headers=headers)


@router.delete("/{id}", status_code=204, response_class=Response, responses=_READ | documented(409))
async def remove(
    request: Request,
    id: PathId,
    caller: Writer,
    work: Work,
    collection: QueryCollection = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Forget a stored image."""

    async def write() -> tuple[int, Any, str]:
        key = await key_of(work, caller, id, collection)
        if not await work.ask(_deleted, work, key):
            raise RecordNotFound(f"no record has the id {id}")
        return 204, None, ""

    return await once(request, caller, work, idempotency_key, collection, write)


async def _record(work: Working, key: Key, *, full: bool = False) -> ImageRecord:
    found = await work.ask(lambda: work.service.index.get([key], full=full))
    if key not in found:
        raise RecordNotFound(f"no record has the id {key.id}")
    return found[key]


def _page(work: Working, wanted: Filter, cursor: str | None, limit: int) -> Page:
    return work.service.index.page(wanted, cursor=cursor, limit=limit)


def _deleted(work: Working, key: Key) -> int:
    deleted = work.service.index.delete([key])
    work.service.index.refresh()
    work.metrics.changed()
    return deleted
