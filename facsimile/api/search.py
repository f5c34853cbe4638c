"""`/v1/search`, `/v1/search/batch`, `/v1/compare`: which stored images are copies of these."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from facsimile.api.auth import Caller, Reader, charge
from facsimile.api.problems import ProblemDocument, Problems, documented
from facsimile.api.query_images import queries_of, query_of
from facsimile.api.request_bodies import body, read
from facsimile.api.schemas.fields import Collections, ImageQuery, Terms, listed, numbered
from facsimile.api.schemas.matches import Cosine, FoundImage, Hamming, Orientation, Proof, Score, Transform
from facsimile.api.stages import ServiceStages, Stages
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.search.errors import InvalidRequest
from facsimile.search.params import SearchParams
from facsimile.search.query import QueryImage

router = APIRouter(prefix="/v1", tags=["search"])

#: most matches of one query over HTTP
MAX_LIMIT = 200


class How(BaseModel):
    """How to search."""

    mode: Literal["copies", "similar"] = Field(
        "copies", description="copies of the image, or whatever looks like it, by its vector alone"
    )
    limit: int = Field(10, ge=1, le=MAX_LIMIT, description="most matches of one image")
    collections: Collections = []
    filter: Terms = {}
    text: str = Field("", max_length=1000, description="words of title and tags")
    orientations: Annotated[list[Orientation], BeforeValidator(listed)] = Field(
        list(ORIENTATIONS), min_length=1, max_length=8, description="turns and flips of the image to look for"
    )
    probes: Annotated[Literal[0, 1, 2, 3, "all"], BeforeValidator(numbered)] = Field(
        2, description="more terms and better recall; all: no pair within Hamming distance 31 is missed"
    )
    verify: bool = Field(True, description="prove the best matches by geometry")
    min_score: float = Field(0, ge=0, le=1, description="least score of a match that only pictures found")

    def params(self, caller: Caller) -> SearchParams:
        """The options, limited to what the caller may see."""
        return SearchParams(
            limit=self.limit,
            mode=self.mode,
            collections=caller.within(self.collections),
            filter=self.filter,
            text=self.text,
            orientations=tuple(self.orientations),
            probes=self.probes,
            verify=self.verify,
            min_score=self.min_score,
        )


class SearchRequest(ImageQuery, How):
    """One image, or words alone, and how to search."""

    preview: bool = Field(False, description="return the thumbnail of the query image, too")


class BatchRequest(How):
    """Several images, and how to search for each."""

    model_config = ConfigDict(extra="forbid")

    queries: list[ImageQuery] = Field([], max_length=1000)


class QueryInfo(BaseModel):
    """The image of a query as it was read."""

    sha256: str
    width: int
    height: int
    format: str
    quality: int
    thumbnail: str | None = Field(
        None, description="a data URL of a JPEG of at most 320 pixels a side, where `preview` is true"
    )


class SearchAnswer(BaseModel):
    """The matches of one image, best first."""

    query: QueryInfo | None = Field(description="null for a search by words alone")
    matches: list[FoundImage]
    took_ms: float = Field(examples=[21.4])


class BatchItem(BaseModel):
    """The matches of one image of a batch, or why it could not be read."""

    query: QueryInfo | None = Field(description="null where it could not be read")
    matches: list[FoundImage]
    error: ProblemDocument | None


class BatchAnswer(BaseModel):
    """The matches of each image, in the order of the request."""

    answers: list[BatchItem]
    took_ms: float = Field(examples=[48.2])


class CompareRequest(BaseModel):
    """Two images; in a form, the files `first` and `second`."""

    model_config = ConfigDict(extra="forbid")

    first: ImageQuery | None = None
    second: ImageQuery | None = None


class Comparison(BaseModel):
    """Every distance of two images; the second is the query, the first the stored image."""

    verdict: Literal["identical", "copy", "similar", "different"]
    score: Score
    same_bytes: bool
    same_pixels: bool
    cosine: Cosine
    hamming: Hamming = Field(description="bits of 256 that differ, least over all orientations and margins")
    hamming_upright: int = Field(description="bits of 256 that differ, both as they are")
    hamming_trimmed: int = Field(description="bits of 256 that differ, both without flat margins")
    orientation: Orientation = Field(description="of the query, at the least Hamming distance")
    transform: Transform | None = Field(description="as in a search")
    proof: Proof | None = Field(description="as in a search")
    note: str | None = Field(description="a remark on the verdict", examples=["same scene"])
    quality: list[int] = Field(min_length=2, max_length=2, description="of the first and of the second")


_FAULTS = documented(400, 401, 403, 404, 408, 409, 413, 415, 421, 422, 424, 429, 503)


@router.post(
    "/search",
    responses=_FAULTS,
    openapi_extra=body(
        SearchRequest, files={"image": "the image file"}, example={"url": "https://example.org/a.jpg"}
    ),
)
async def search(request: Request, caller: Reader, stages: Stages) -> SearchAnswer:
    """Where an image occurs: every copy of it, even edited, or what looks like it.

    Words alone search titles and tags; words with an image join both rankings.
    """
    start = time.perf_counter()
    requested, files = await read(request, SearchRequest)
    images = files.get("image", [])
    if requested.text and not images and not requested.names_an_image:
        found = await stages.ask(stages.finder.search_text, requested.params(caller))
        return SearchAnswer(
            query=None, matches=[FoundImage.of_match(match) for match in found], took_ms=_since(start)
        )
    query = await query_of(stages, caller, requested, images)
    (matches,) = await _matches(stages, [query], requested, caller)
    subject = _subject(query)
    if requested.preview:
        subject.thumbnail = f"data:image/jpeg;base64,{b64encode(query.description.thumbnail).decode()}"
    return SearchAnswer(query=subject, matches=matches, took_ms=_since(start))


@router.post(
    "/search/batch",
    responses=_FAULTS,
    openapi_extra=body(
        BatchRequest,
        files={"image": "an image file; repeat the field"},
        example={"queries": [{"url": "https://example.org/a.jpg"}, {"id": "people/Eileen"}]},
    ),
)
async def search_batch(request: Request, caller: Reader, stages: Stages) -> BatchAnswer:
    """Where each of several images occurs, by one question to the index."""
    start = time.perf_counter()
    requested, files = await read(request, BatchRequest)
    images = files.get("image", [])
    number = len(requested.queries) + len(images)
    if not 1 <= number <= stages.options.max_batch:
        raise InvalidRequest(f"a batch has 1 to {stages.options.max_batch} images, not {number}")
    charge(request, caller, number)
    queries = await queries_of(stages, caller, requested.queries, images)
    readable = [query for query in queries if isinstance(query, QueryImage)]
    matches = iter(await _matches(stages, readable, requested, caller) if readable else [])
    problems: Problems = request.app.state.problems
    answers = [
        BatchItem(query=_subject(query), matches=next(matches), error=None)
        if isinstance(query, QueryImage)
        else BatchItem(query=None, matches=[], error=problems.document(request.state.request_id, query))
        for query in queries
    ]
    return BatchAnswer(answers=answers, took_ms=_since(start))


@router.post(
    "/compare",
    name="compare",
    responses=_FAULTS,
    openapi_extra=body(
        CompareRequest,
        files={"first": "an image file", "second": "another"},
        example={"first": {"url": "https://example.org/a.jpg"}, "second": {"id": "people/Eileen"}},
    ),
)
async def compare_two(request: Request, caller: Reader, stages: Stages) -> Comparison:
    """Every distance of two images, and the verdict that a search would give."""
    requested, files = await read(request, CompareRequest)
    first, second = [
        await query_of(stages, caller, image or ImageQuery(), files.get(name, []))
        for name, image in (("first", requested.first), ("second", requested.second))
    ]
    compared = await stages.ask(stages.finder.compare, first, second)
    return Comparison(**compared.as_json())


async def _matches(
    stages: ServiceStages, queries: Sequence[QueryImage], options: How, caller: Caller
) -> list[list[FoundImage]]:
    """The matches of each query."""
    answers = await stages.ask(stages.finder.search_many, queries, options.params(caller))
    for matches in answers:
        stages.metrics.matches(options.mode, len(matches))
    return [[FoundImage.of_match(match) for match in matches] for matches in answers]


def _subject(query: QueryImage) -> QueryInfo:
    found = query.description
    return QueryInfo(
        sha256=found.sha256,
        width=found.width,
        height=found.height,
        format=found.format,
        quality=found.quality,
    )


def _since(start: float) -> float:
    return round((time.perf_counter() - start) * 1000, 1)
