"""`/compat/match`: the routes of dsys/match, so that its clients run unchanged.

Its `filepath` is our id, in the caller's default collection. What differs is named in `docs/api.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field, JsonValue
from pydantic_core import from_json

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.problems import Problems
from facsimile.api.request_bodies import form, form_body
from facsimile.api.stages import ServiceStages, Stages
from facsimile.compat.metadata import as_object, as_stored
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.imaging.record import Key
from facsimile.ingest.item import Item
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index, Status
from facsimile.search.match import Verdict
from facsimile.search.params import SearchParams
from facsimile.search.query import Filter

PREFIX = "/compat/match"

router = APIRouter(prefix=PREFIX, tags=["dsys/match"])

#: matches of one search
LIMIT = 100


class MatchFound(BaseModel):
    """A stored image that is a copy."""

    score: float = Field(description="the probability of a copy, in percent", examples=[99.98])
    filepath: str = Field(examples=["people/Eileen"])
    metadata: JsonValue = Field(description="as it was stored; null: none", examples=[{"year": 1969}])


class MatchScore(BaseModel):
    """How probable it is that two images are copies."""

    score: float = Field(description="in percent", examples=[99.98])


#: what `result` lists
Result = TypeVar("Result")


class Envelope(BaseModel, Generic[Result]):
    """What every answer consists of."""

    status: Literal["ok", "fail"] = "ok"
    error: list[str] = Field([], description="empty unless it failed")
    method: str = Field(examples=["search"])
    result: list[Result]


class MatchDone(Envelope[JsonValue]):
    """An answer without a result, or an error."""

    result: list[JsonValue] = Field([], max_length=0)


class MatchFoundList(Envelope[MatchFound]):
    """The copies that were found, best first."""


class MatchScores(Envelope[MatchScore]):
    """One score."""


class MatchCount(Envelope[int]):
    """One number."""


class MatchPaths(Envelope[str]):
    """Paths, in their order."""


def render_error(status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    """An error as the clients of match expect it: every fault of the request is 400."""
    message = {404: "not found", 405: "method not allowed"}.get(status, sentence)
    body = MatchDone(status="fail", error=[message], method="")
    return JSONResponse(body.model_dump(), 400 if status in (415, 422) else status, dict(headers))


_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": MatchDone, "description": "The message is in `error`"}
    for status in (400, 401, 403, 408, 413, 421, 424, 429, 503)
}


_PATH = {"filepath": "the caller's name of the image"}
_URL = {"url": "an address to fetch; takes precedence over a file"}
_IMAGE = {"image": "the image file"}


class _Form:
    """The fields and files of a request; of a GET request, its query parameters."""

    def __init__(self, fields: dict[str, list[str]], files: dict[str, list[bytes]]) -> None:
        self._fields = fields
        self._files = files

    @classmethod
    async def of(cls, request: Request) -> _Form:
        if request.method == "GET":
            return cls({name: [value] for name, value in request.query_params.items()}, {})
        return cls(*await form(request))

    def text(self, name: str) -> str:
        """A required field."""
        if not self._fields.get(name, [""])[0]:
            raise InvalidRequest(f"bad request: {name} is missing")
        return self._fields[name][0]

    def number(self, name: str, default: int) -> int:
        """A number; negative ones become 0."""
        given = self._fields.get(name, [str(default)])[0]
        try:
            return max(0, int(given))
        except ValueError:
            raise InvalidRequest(f"bad request: {name} is not a number") from None

    def flag(self, name: str, default: bool) -> bool:
        """A flag; only the text `true` is true."""
        return self._fields[name][0] == "true" if name in self._fields else default

    def metadata(self) -> dict[str, Any]:
        """The metadata as an object."""
        given = self._fields.get("metadata", [""])[0]
        if not given:
            return {}
        try:
            found = from_json(given, allow_inf_nan=False)
        except ValueError as error:
            raise InvalidRequest(f"bad request: metadata is not JSON ({error})") from None
        return as_object(found)

    async def image(self, stages: ServiceStages, suffix: str = "") -> tuple[bytes, str]:
        """The bytes of an image and its address, which takes precedence over a file."""
        if url := self._fields.get(f"url{suffix}", [""])[0]:
            return await stages.fetch(url), url
        if not self._files.get(f"image{suffix}"):
            raise InvalidRequest(f"bad request: url{suffix} or image{suffix} is required")
        return self._files[f"image{suffix}"][0], ""


@router.post(
    "/add",
    responses=_ERRORS,
    openapi_extra=form_body(_PATH | _URL | {"metadata": "JSON"}, _IMAGE, ["filepath"]),
)
async def match_add(request: Request, caller: Writer, stages: Stages) -> MatchDone:
    """Store an image under a path; it is found by the next search."""
    given = await _Form.of(request)
    path, metadata = given.text("filepath"), given.metadata()
    data, url = await given.image(stages)
    item = Item(url, id=path, collection=caller.target(None), metadata=metadata, data=data)
    (outcome,) = await stages.write([item])
    if outcome.status is Status.FAILED:
        problems: Problems = request.app.state.problems
        raise problems.of_outcome(outcome)
    return MatchDone(method="add")


@router.delete("/delete", responses=_ERRORS, openapi_extra=form_body(_PATH, required=["filepath"]))
async def match_delete(request: Request, caller: Writer, stages: Stages) -> MatchDone:
    """Delete the image with exactly this path, if there is one."""
    key = Key(caller.target(None), (await _Form.of(request)).text("filepath"))
    await stages.ask(stages.service.index.delete, [key])
    await stages.ask(stages.service.index.refresh)
    return MatchDone(method="delete")


@router.post(
    "/search",
    responses=_ERRORS,
    openapi_extra=form_body(_URL | {"all_orientations": "`true` (the default) or `false`"}, _IMAGE),
)
async def match_search(request: Request, caller: Reader, stages: Stages) -> MatchFoundList:
    """Find the copies of an image, best first."""
    given = await _Form.of(request)
    data, _ = await given.image(stages)
    upright = not given.flag("all_orientations", default=True)
    params = SearchParams(
        limit=LIMIT,
        collections=_own(caller).collections,
        orientations=("upright",) if upright else ORIENTATIONS,
    )
    matches = await stages.ask(stages.finder.search, await stages.describe(data), params)
    copies = [
        MatchFound(
            score=round(match.score * 100, 2),
            filepath=match.record.id,
            metadata=as_stored(match.record.metadata),
        )
        for match in matches
        if match.verdict in (Verdict.IDENTICAL, Verdict.COPY) or match.score > 0.5
    ]
    return MatchFoundList(method="search", result=copies)


@router.post(
    "/compare",
    responses=_ERRORS,
    openapi_extra=form_body(
        {"url1": "an address to fetch", "url2": "another"}, {"image1": "an image file", "image2": "another"}
    ),
)
async def match_compare(request: Request, caller: Reader, stages: Stages) -> MatchScores:
    """Compare two images."""
    given = await _Form.of(request)
    first, second = [await stages.describe((await given.image(stages, suffix))[0]) for suffix in ("1", "2")]
    found = await stages.ask(stages.finder.compare, first, second)
    score = round(found.match.score * 100, 2) if found.match else 0.0
    return MatchScores(method="compare", result=[MatchScore(score=score)])


@router.get("/count", operation_id="match_count_get", responses=_ERRORS)
@router.post("/count", responses=_ERRORS)
async def match_count(caller: Reader, stages: Stages) -> MatchCount:
    """Count the images."""
    number = await stages.ask(stages.service.index.count, _own(caller))
    return MatchCount(method="count", result=[number])


@router.get("/list", operation_id="match_list_get", responses=_ERRORS)
@router.post("/list", responses=_ERRORS)
async def match_list(request: Request, caller: Reader, stages: Stages) -> MatchPaths:
    """List the paths of the images, in their order."""
    given = await _Form.of(request)
    offset, limit = given.number("offset", 0), given.number("limit", 20)
    paths = await stages.ask(_paths, stages.service.index, _own(caller), offset, limit)
    return MatchPaths(method="list", result=paths)


@router.get("/ping", operation_id="match_ping_get", responses=_ERRORS)
@router.post("/ping", responses=_ERRORS)
async def match_ping(caller: Reader) -> MatchDone:
    """Check that the server answers."""
    return MatchDone(method="ping")


def _own(caller: Caller) -> Filter:
    return Filter(collections=(caller.target(None),))


def _paths(index: Index, filter: Filter, offset: int, limit: int) -> list[str]:
    return [record.id for record in islice(index.scan(filter), offset, offset + limit)]
