"""`POST /v1/images`, `/v1/images/batch`, `PUT /v1/images/{id}`: storing images, directly or by a queue."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from facsimile.api.auth import Caller, Writer, charge
from facsimile.api.idempotency import IdempotencyKey, once
from facsimile.api.problems import Problem, ProblemDocument, Problems, documented
from facsimile.api.query_images import bytes_of, key_of
from facsimile.api.request_bodies import body, read
from facsimile.api.schemas.fields import (
    Collection,
    Id,
    Image,
    Metadata,
    Pages,
    PathId,
    Picture,
    QueryCollection,
    Tags,
    checked,
    path_of,
    thumbnail_of,
)
from facsimile.api.service import Submit
from facsimile.api.stages import ServiceStages, Stages
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import ImageRecord, Key
from facsimile.ingest.item import Item, Outcome
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Status
from facsimile.search.index.validation import source_faults

router = APIRouter(prefix="/v1/images", tags=["images"])


class Attributes(BaseModel):
    """Title, tags, metadata, pages and source of an image; what is left out keeps its stored value."""

    title: str = Field("", max_length=4096)
    tags: Tags = []
    metadata: Metadata = {}
    pages: Pages = []
    source: Annotated[str, checked(source_faults)] = Field(
        "", description="where the image is from; by default its `url`"
    )


class PutImage(Picture, Attributes):
    """An image to store under an id."""


class NewImage(PutImage):
    """An image to store; without an id it is named by the SHA-256 of its bytes."""

    id: Id | None = None
    collection: Collection | None = None


class NewImages(BaseModel):
    """Images to store; `collection` counts for images that name none, and for the files of a form."""

    model_config = ConfigDict(extra="forbid")

    images: list[NewImage] = Field([], max_length=1000)
    collection: Collection | None = None


class ImageChanges(BaseModel):
    """Changes of an image; fields left out keep their values, and metadata is replaced as a whole."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"title": "A harbour", "tags": ["sea"], "metadata": {"year": 1969}}]},
    )

    title: str | None = Field(None, max_length=4096)
    tags: Tags | None = None
    metadata: Metadata | None = None


class StoredImage(BaseModel):
    """The outcome for an image."""

    id: str
    collection: str
    status: Status
    thumbnail: str = Field(description="the path of its thumbnail")


class ImageOutcome(BaseModel):
    """The outcome for one image of a batch."""

    id: str | None = Field(
        description="null where the image could not be obtained", examples=["people/Eileen"]
    )
    collection: str = Field(examples=["default"])
    status: Status
    error: ProblemDocument | None


class BatchOutcome(BaseModel):
    """The outcome for each image, in the order of the request."""

    outcomes: list[ImageOutcome]
    added: int
    updated: int
    unchanged: int
    failed: int


class QueuedImages(BaseModel):
    """The job that stores the images."""

    job: str = Field(examples=["20261121-141154-0d0bf8"])
    status_url: str = Field(examples=["/v1/jobs/20261121-141154-0d0bf8"])


_COMMON = (400, 401, 403, 408, 421, 422, 429, 503)
_WRITE: dict[int | str, dict[str, Any]] = {
    **documented(*_COMMON, 404, 409, 413, 415, 424),
    202: {"model": QueuedImages, "description": "Submitted to the queue"},
}
_WAIT = Query(
    description="false: submit to the queue and answer at once (the default where there is a queue)"
)
Wait = Annotated[bool | None, _WAIT]


@router.post(
    "",
    status_code=201,
    response_model=StoredImage,
    responses={**_WRITE, 200: {"model": StoredImage, "description": "Updated, or unchanged"}},
    openapi_extra=body(
        NewImage,
        files={"image": "the image file"},
        example={"url": "https://example.org/a.jpg", "id": "a", "tags": ["portrait"]},
    ),
)
async def add_image(
    request: Request,
    caller: Writer,
    stages: Stages,
    wait: Wait = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store an image; the same bytes in the same collection are one image."""
    requested, files = await read(request, NewImage)
    return await _store_one(request, caller, stages, requested, files, wait, idempotency_key)


@router.post(
    "/batch",
    response_model=BatchOutcome,
    responses=_WRITE,
    openapi_extra=body(
        NewImages,
        files={"image": "an image file; repeat the field"},
        example={"collection": "catalogue", "images": [{"url": "https://example.org/a.jpg", "id": "a"}]},
    ),
)
async def add_images(
    request: Request,
    caller: Writer,
    stages: Stages,
    wait: Wait = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store several images; one that cannot be read does not stop the others."""
    requested, files = await read(request, NewImages)
    uploads = files.get("image", [])
    number = len(requested.images) + len(uploads)
    if not 1 <= number <= stages.options.max_batch:
        raise InvalidRequest(f"a batch has 1 to {stages.options.max_batch} images, not {number}")
    charge(request, caller, number)
    within = caller.target(requested.collection)
    targets = [caller.target(each.collection) if each.collection else within for each in requested.images]

    async def write() -> tuple[int, Any, str]:
        items: list[Item | FacsimileError] = [Item("", collection=within, data=data) for data in uploads]
        fetched = iter(
            await stages.fetch_all([each.url for each in requested.images if each.url is not None])
        )
        for each, target in zip(requested.images, targets, strict=True):
            items.append(await _given(stages, each, target, fetched))
        ready = [item for item in items if isinstance(item, Item)]
        if (submit := _queue(stages, wait)) and ready:
            return await _submitted(stages, submit, ready)
        outcomes = iter(await stages.write(ready) if ready else [])
        problems: Problems = request.app.state.problems
        results = [
            _outcome(item, next(outcomes), problems, request.state.request_id)
            if isinstance(item, Item)
            else ImageOutcome(
                id=None,
                collection=target,
                status=Status.FAILED,
                error=problems.document(request.state.request_id, item),
            )
            for item, target in zip(items, [within] * len(uploads) + targets, strict=True)
        ]
        counts = {str(status): sum(one.status is status for one in results) for status in Status}
        return 200, BatchOutcome(outcomes=results, **counts).model_dump(mode="json"), ""

    identity = [_mark(each, []) for each in requested.images] + [_sha256(data) for data in uploads] + [within]
    return await once(request, caller, stages, idempotency_key, identity, write)


@router.put(
    "/{id}",
    response_model=StoredImage,
    responses={**_WRITE, 201: {"model": StoredImage, "description": "Added"}},
    openapi_extra=body(
        PutImage, files={"image": "the image file"}, example={"url": "https://example.org/a.jpg"}
    ),
)
async def put_image(
    request: Request,
    id: PathId,
    caller: Writer,
    stages: Stages,
    collection: QueryCollection = None,
    wait: Wait = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Store an image under an id; other bytes replace those that were there."""
    requested, files = await read(request, PutImage)
    new = NewImage.model_construct(**dict(requested), id=id, collection=collection)
    return await _store_one(request, caller, stages, new, files, wait, idempotency_key)


@router.patch("/{id}", responses=documented(*_COMMON, 404, 409, 413, 415))
async def change_image(
    id: PathId,
    changes: ImageChanges,
    caller: Writer,
    stages: Stages,
    collection: QueryCollection = None,
) -> Image:
    """Change title, tags and metadata of a stored image, without its picture."""
    key = await key_of(stages, caller, id, collection)
    return Image.of(await stages.ask(_changed, stages, key, changes))


def _changed(stages: ServiceStages, key: Key, changes: ImageChanges) -> ImageRecord:
    changed = {name: value for name, value in dict(changes).items() if value is not None}
    if "tags" in changed:
        changed["tags"] = tuple(changed["tags"])
    record = stages.service.index.amend(key, lambda stored: stored.replaced(**changed))
    stages.service.index.refresh()
    stages.metrics.changed()
    return record


async def _store_one(
    request: Request,
    caller: Caller,
    stages: ServiceStages,
    requested: NewImage,
    files: dict[str, list[bytes]],
    wait: bool | None,
    key: str | None,
) -> Response:
    target = caller.target(requested.collection)

    async def write() -> tuple[int, Any, str]:
        item = _item(requested, await bytes_of(stages, requested, files.get("image", [])), target)
        if submit := _queue(stages, wait):
            return await _submitted(stages, submit, [item])
        (outcome,) = await stages.write([item])
        if outcome.status is Status.FAILED:
            problems: Problems = request.app.state.problems
            raise problems.of_outcome(outcome)
        named = _key(item)
        stored = StoredImage(
            id=named.id, collection=named.collection, status=outcome.status, thumbnail=thumbnail_of(named)
        )
        status = 201 if outcome.status is Status.ADDED else 200
        return status, stored.model_dump(mode="json"), path_of(named)

    identity = [_mark(requested, files.get("image", [])), target]
    return await once(request, caller, stages, key, identity, write)


async def _given(
    stages: ServiceStages, requested: NewImage, target: str, fetched: Any
) -> Item | FacsimileError:
    """The item of an image of a batch, or why there is none; `fetched` has the bytes behind the URLs."""
    if requested.url is None:
        try:
            return _item(requested, await bytes_of(stages, requested), target)
        except InvalidRequest as error:
            return error
    data = next(fetched)
    if requested.image_base64 is not None:
        return InvalidRequest("give one image: `image_base64` or `url`")
    return _item(requested, data, target) if isinstance(data, bytes) else data


def _item(requested: NewImage, data: bytes, target: str) -> Item:
    return Item(
        requested.source or requested.url or "",
        id=requested.id,
        collection=target,
        title=requested.title,
        tags=tuple(requested.tags),
        metadata=requested.metadata,
        pages=tuple(page.stored for page in requested.pages),
        data=data,
    )


def _key(item: Item) -> Key:
    return Key(item.collection, item.id or _sha256(item.data or b""))


def _outcome(item: Item, outcome: Outcome, problems: Problems, request_id: str) -> ImageOutcome:
    key = _key(item)
    error: Problem | None = None
    if outcome.status is Status.FAILED:
        error = problems.of_outcome(outcome)
    return ImageOutcome(
        id=key.id,
        collection=key.collection,
        status=outcome.status,
        error=problems.document(request_id, error) if error else None,
    )


def _queue(stages: ServiceStages, wait: bool | None) -> Submit | None:
    """The function that submits to the queue; None where there is none, or the caller wants to wait."""
    if stages.service.submit is None and wait is False:
        raise InvalidRequest("this server has no queue: use wait=true")
    return None if wait else stages.service.submit


async def _submitted(stages: ServiceStages, submit: Submit, items: Sequence[Item]) -> tuple[int, Any, str]:
    job = await stages.ask(submit, items)
    url = f"/v1/jobs/{job}"
    return 202, QueuedImages(job=job, status_url=url).model_dump(), url


def _mark(requested: NewImage, files: Sequence[bytes]) -> Any:
    """The identity of a request as JSON; bytes are represented by their digest."""
    given = requested.model_dump(exclude={"image_base64"})
    data = [requested.image_base64] if requested.image_base64 is not None else []
    return [given, [_sha256(each) for each in [*files, *data]]]


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
