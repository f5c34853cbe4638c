"""`/compat/match`: the routes of dsys/match, so that its clients run unchanged.

Its `filepath` is our id, in the caller's default collection. What differs is named in `docs/api.md`.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from pydantic_core import from_json

from facsimile.api.auth import Caller, Reader, Writer
from facsimile.api.problems import Problems
from facsimile.api.request_bodies import form, form_body
from facsimile.api.stages import Work, Working
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

#: under which name metadata is kept that is no JSON object
PLAIN = "match.metadata"


class Envelope(BaseModel):
    """What every route answers."""

    status: str = Field(description="`ok` or `fail`")
    error: list[str]
    method: str
    result: list[Any]


def fault(status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    """An error as the clients of match know it: whatever is wrong with what they sent is 400."""
    told = {404: "not found", 405: "method not allowed"}.get(status, sentence)
    body = Envelope(status="fail", error=[told], method="", result=[])
    return JSONResponse(body.model_dump(), 400 if status in (415, 422) else status, dict(headers))


def _done(method: str, result: list[Any] | None = None) -> Envelope:
    return Envelope(status="ok", error=[], method=method, result=result or [])


_FAULTS: dict[int | str, dict[str, Any]] = {
    status: {"model": Envelope, "description": "The sentence is in `error`"}
    for status in (400, 401, 403, 408, 413, 421, 424, 429, 503)
}


_PATH = {"filepath": "the caller's name of the image"}
_URL = {"url": "an address to fetch; counts where there is a file too"}
_IMAGE = {"image": "the image file"}


class _Form:
    """The fields and files of a request, and of a GET its query."""

    def __init__(self, fields: dict[str, list[str]], files: dict[str, list[bytes]]) -> None:
        self._fields = fields
        self._files = files

    @classmethod
    async def of(cls, request: Request) -> _Form:
        if request.method == "GET":
            return cls({name: [value] for name, value in request.query_params.items()}, {})
        return cls(*await form(request))

    def text(self, name: str) -> str:
        """A field that must be there."""
        if not self._fields.get(name, [""])[0]:
            raise InvalidRequest(f"bad request: {name} is missing")
        return self._fields[name][0]

    def number(self, name: str, default: int) -> int:
        """A field that is a number; less than nothing is nothing."""
        given = self._fields.get(name, [str(default)])[0]
        try:
            return max(0, int(given))
        except ValueError:
            raise InvalidRequest(f"bad request: {name} is no number") from None

    def flag(self, name: str, default: bool) -> bool:
        """Only the text `true` is true."""
        return self._fields[name][0] == "true" if name in self._fields else default

    def metadata(self) -> dict[str, Any]:
        """The metadata as an object."""
        given = self._fields.get("metadata", [""])[0]
        if not given:
            return {}
        try:
            found = from_json(given, allow_inf_nan=False)
        except ValueError as error:
            raise InvalidRequest(f"bad request: metadata is no JSON ({error})") from None
        return found if isinstance(found, dict) else {PLAIN: found}

    async def image(self, work: Working, suffix: str = "") -> tuple[bytes, str]:
        """The bytes of an image and its address; the address counts where there are both."""
        if url := self._fields.get(f"url{suffix}", [""])[0]:
            return await work.fetch(url), url
        if not self._files.get(f"image{suffix}"):
            raise InvalidRequest(f"bad request: neither url{suffix} nor image{suffix} is there")
        return self._files[f"image{suffix}"][0], ""


@router.post(
    "/add",
    responses=_FAULTS,
    openapi_extra=form_body(_PATH | _URL | {"metadata": "JSON"}, _IMAGE, ["filepath"]),
)
async def add(request: Request, caller: Writer, work: Work) -> Envelope:
    """Store an image under a path; it is found by the next search."""
    given = await _Form.of(request)
    path, metadata = given.text("filepath"), given.metadata()
    data, url = await given.image(work)
    item = Item(url, id=path, collection=caller.target(None), metadata=metadata, data=data)
    (outcome,) = await work.write([item])
    if outcome.status is Status.FAILED:
        problems: Problems = request.app.state.problems
        raise problems.of_outcome(outcome)
    return _done("add")


@router.delete("/delete", responses=_FAULTS, openapi_extra=form_body(_PATH, required=["filepath"]))
async def delete(request: Request, caller: Writer, work: Work) -> Envelope:
    """Forget the image with exactly this path, if there is one."""
    key = Key(caller.target(None), (await _Form.of(request)).text("filepath"))
    await work.ask(work.service.index.delete, [key])
    await work.ask(work.service.index.refresh)
    return _done("delete")


@router.post(
    "/search",
    responses=_FAULTS,
    openapi_extra=form_body(_URL | {"all_orientations": "`true` (the default) or `false`"}, _IMAGE),
)
async def search(request: Request, caller: Reader, work: Work) -> Envelope:
    """The copies of an image, best first."""
    given = await _Form.of(request)
    data, _ = await given.image(work)
    upright = not given.flag("all_orientations", default=True)
    params = SearchParams(
        limit=LIMIT,
        collections=_own(caller).collections,
        orientations=("upright",) if upright else ORIENTATIONS,
    )
    matches = await work.ask(work.finder.search, await work.describe(data), params)
    return _done(
        "search",
        [
            {
                "score": round(match.score * 100, 2),
                "filepath": match.record.id,
                "metadata": _metadata(match.record.metadata),
            }
            for match in matches
            if match.verdict in (Verdict.IDENTICAL, Verdict.COPY) or match.score > 0.5
        ],
    )


@router.post(
    "/compare",
    responses=_FAULTS,
    openapi_extra=form_body(
        {"url1": "an address to fetch", "url2": "another"}, {"image1": "an image file", "image2": "another"}
    ),
)
async def compare(request: Request, caller: Reader, work: Work) -> Envelope:
    """How sure it is that two images are copies, in percent."""
    given = await _Form.of(request)
    first, second = [await work.describe((await given.image(work, suffix))[0]) for suffix in ("1", "2")]
    found = await work.ask(work.finder.compare, first, second)
    return _done("compare", [{"score": round(found.match.score * 100, 2) if found.match else 0.0}])


@router.get("/count", responses=_FAULTS)
@router.post("/count", responses=_FAULTS)
async def count(caller: Reader, work: Work) -> Envelope:
    """How many images there are."""
    return _done("count", [await work.ask(work.service.index.count, _own(caller))])


@router.get("/list", responses=_FAULTS)
@router.post("/list", responses=_FAULTS)
async def listing(request: Request, caller: Reader, work: Work) -> Envelope:
    """The paths of the images, in their order."""
    given = await _Form.of(request)
    offset, limit = given.number("offset", 0), given.number("limit", 20)
    return _done("list", await work.ask(_paths, work.service.index, _own(caller), offset, limit))


@router.get("/ping", responses=_FAULTS)
@router.post("/ping", responses=_FAULTS)
async def ping(caller: Reader) -> Envelope:
    """Whether the server answers."""
    return _done("ping")


def _own(caller: Caller) -> Filter:
    return Filter(collections=(caller.target(None),))


def _paths(index: Index, filter: Filter, offset: int, limit: int) -> list[str]:
    return [record.id for record in islice(index.scan(filter), offset, offset + limit)]


def _metadata(kept: Mapping[str, Any]) -> Any:
    return kept.get(PLAIN, dict(kept)) if kept else None
