"""Every error as a problem document (RFC 9457)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import Match

from facsimile.imaging.errors import (
    BrokenImage,
    EmptyImage,
    FacsimileError,
    ImageTooLarge,
    ModelError,
    NotAnImage,
)
from facsimile.ingest.errors import (
    DecoderBusy,
    DecoderCrashed,
    DecoderTimeout,
    FetchUnavailable,
    SourceError,
    SourceNotAllowed,
    SourceTooLarge,
)
from facsimile.ingest.item import Outcome
from facsimile.search.errors import (
    AmbiguousId,
    IndexReadOnly,
    IndexUnavailable,
    InvalidRequest,
    RecordNotFound,
    StoreError,
)
from facsimile.workers.errors import (
    AllowanceNotFound,
    BrokerUnavailable,
    FindingNotFound,
    JobClosed,
    JobNotFound,
    ScanNotFound,
)
from facsimile.workers.logging import logger

MEDIA_TYPE = "application/problem+json"

log = logger(__name__)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of problem: its HTTP status, the last part of its type URI, a title, and seconds to wait."""

    status: int
    name: str
    title: str
    retry_after: int = 0


UNAUTHENTICATED = Kind(401, "key-needed", "An API key is needed")
FORBIDDEN = Kind(403, "forbidden", "This key may not do that")
MISSING = Kind(404, "not-found", "There is nothing here")
AMBIGUOUS = Kind(409, "ambiguous", "Several collections have a record of this id")
IN_PROGRESS = Kind(409, "in-progress", "The same request is being answered", 1)
SLOW_BODY = Kind(408, "body-too-slow", "The request took too long to arrive")
TOO_LARGE = Kind(413, "too-large", "The request has more bytes than the limit")
MEDIA = Kind(415, "media-type", "This content type is not understood here")
INVALID = Kind(422, "invalid", "The request makes no sense")
KEY_REUSED = Kind(422, "idempotency-key-reused", "This Idempotency-Key came with another request before")
RATE = Kind(429, "rate-limit", "This caller has asked too often", 1)
FAULT = Kind(500, "fault", "Something is wrong with this server")
BUSY = Kind(503, "busy", "There is too much to do at present", 1)
TOO_LONG = Kind(503, "timeout", "The work took too long", 5)

#: which errors are which problem; the nearest base class counts
KINDS: Mapping[type[FacsimileError], Kind] = {
    EmptyImage: Kind(422, "image-empty", "The image has no bytes"),
    NotAnImage: Kind(415, "image-unknown", "The bytes are no image that can be read here"),
    BrokenImage: Kind(422, "image-broken", "The image is damaged"),
    ImageTooLarge: Kind(413, "image-too-large", "The image is larger than the limit"),
    ModelError: Kind(503, "model-unavailable", "The model cannot be used at present", 60),
    AmbiguousId: AMBIGUOUS,
    RecordNotFound: Kind(404, "record-missing", "There is no such record"),
    InvalidRequest: INVALID,
    IndexUnavailable: Kind(503, "index-unavailable", "The index cannot be reached at present", 5),
    IndexReadOnly: Kind(503, "index-read-only", "The index takes no writes at present", 30),
    StoreError: Kind(503, "index-unusable", "The index cannot be used as it is", 60),
    # what is wrong with an address that a request gave; failures of other servers are not ours, so no 5xx
    SourceError: Kind(424, "fetch-rejected", "The address gives no image"),
    SourceNotAllowed: Kind(422, "url-refused", "This address may not be fetched"),
    SourceTooLarge: Kind(413, "source-too-large", "There are more bytes behind the address than the limit"),
    FetchUnavailable: Kind(424, "fetch-failed", "The address cannot be fetched at present", 10),
    DecoderBusy: BUSY,
    DecoderCrashed: Kind(422, "image-unreadable", "Reading the image ends its decoder"),
    DecoderTimeout: Kind(422, "image-too-slow", "Reading the image takes longer than the limit"),
    JobNotFound: Kind(404, "job-missing", "There is no such job"),
    ScanNotFound: Kind(404, "scan-missing", "There is no such scan"),
    FindingNotFound: Kind(404, "finding-missing", "There is no such finding"),
    AllowanceNotFound: Kind(404, "allowance-missing", "There is no such allowance"),
    JobClosed: Kind(409, "job-closed", "The job has come to its end"),
    BrokerUnavailable: Kind(503, "queue-unavailable", "The queue cannot be reached at present", 5),
    FacsimileError: FAULT,
}

#: parts at fault that one answer tells, and characters of the name and of the sentence of each
MAX_ERRORS = 20
MAX_NAME = 100
MAX_MESSAGE = 500


class Problem(HTTPException):
    """An answer that is an error, from the API itself. `more` are further members of the document."""

    def __init__(
        self, kind: Kind, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(kind.status, detail or kind.title, dict(headers or {}))
        self.kind = kind
        self.more = more


def _is_none(value: object) -> bool:
    return value is None


class ProblemPart(BaseModel):
    """What is wrong with one part of a request."""

    where: str = Field(description="the invalid part, as a path", examples=["body.limit"])
    message: str = Field(examples=["Input should be less than or equal to 1000"])


class ProblemDocument(BaseModel):
    """An error, as RFC 9457 defines it."""

    type: str = Field(description="the type of the problem", examples=["urn:facsimile:image-broken"])
    title: str = Field(examples=["The image is damaged"])
    status: int = Field(examples=[422])
    detail: str = Field(description="what happened in this request", examples=["the JPEG ends in the middle"])
    request_id: str = Field(description="id of the request in the log", examples=["3f5e0c8d91a2b764"])
    errors: list[ProblemPart] | None = Field(None, description="the first 20 invalid parts of the request")
    collections: list[str] | None = Field(
        None, description="of `ambiguous`: the collections that have the id", exclude_if=_is_none
    )
    faults: list[str] | None = Field(
        None, description="of `not-ready`: the services that are not ready", exclude_if=_is_none
    )


#: writes an error in another form than ours: status, sentence, headers
Dialect = Callable[[int, str, Mapping[str, str]], Response]


class Problems:
    """Turns errors into answers. `dialects` are the forms that the routes under a prefix have."""

    def __init__(self, dialects: Mapping[str, Dialect] | None = None) -> None:
        self._dialects = dialects or {}

    def of(self, error: FacsimileError) -> Problem:
        """The problem that an error is; what is our own fault is told to the log alone."""
        problem = self._told(type(error), str(error))
        if isinstance(error, AmbiguousId):
            problem.more = {"collections": list(error.collections)}
        return problem

    def of_outcome(self, outcome: Outcome) -> Problem:
        """The problem that ended an item."""
        return self._told(outcome.error_type or FacsimileError, outcome.reason)

    def _told(self, error: type[FacsimileError], sentence: str) -> Problem:
        kind = next(KINDS[base] for base in error.__mro__ if base in KINDS)
        if kind.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Problem(kind, sentence)
        log.error("problem", kind=kind.name, reason=sentence)
        return Problem(kind)

    def answer(self, path: str, request_id: str, problem: HTTPException) -> Response:
        """The response that tells of a problem."""
        kind = problem.kind if isinstance(problem, Problem) else _kind_of(problem.status_code)
        headers = dict(problem.headers or {})
        if kind.retry_after:
            headers.setdefault("Retry-After", str(kind.retry_after))
        for prefix, dialect in self._dialects.items():
            if path.startswith(prefix):
                return dialect(problem.status_code, problem.detail, headers)
        document = _document(kind, request_id, problem)
        return JSONResponse(document, problem.status_code, headers, media_type=MEDIA_TYPE)

    def document(self, request_id: str, error: FacsimileError | Problem) -> ProblemDocument:
        """The document of an error that ended a part of a request only."""
        problem = self.of(error) if isinstance(error, FacsimileError) else error
        return ProblemDocument.model_validate(_document(problem.kind, request_id, problem))

    def install(self, app: FastAPI) -> None:
        """Have every error of the app answered here."""

        async def known(request: Request, error: Exception) -> Response:
            problem = self._problem(error)
            if problem.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
                problem.headers = {"Allow": ", ".join(_allowed(request))}
            return self.answer(request.url.path, request.state.request_id, problem)

        for kind in (FacsimileError, RequestValidationError, HTTPException):
            app.add_exception_handler(kind, known)

    def _problem(self, error: Exception) -> HTTPException:
        if isinstance(error, FacsimileError):
            return self.of(error)
        if isinstance(error, RequestValidationError):
            return invalid(error.errors())
        return error if isinstance(error, HTTPException) else Problem(FAULT)


def _document(kind: Kind, request_id: str, problem: HTTPException) -> dict[str, Any]:
    return {
        "type": f"urn:facsimile:{kind.name}",
        "title": kind.title,
        "status": problem.status_code,
        "detail": problem.detail,
        "request_id": request_id,
        **(problem.more if isinstance(problem, Problem) else {}),
    }


def invalid(faults: Sequence[Any], *before: str) -> Problem:
    """The problem of a request whose parts are at fault; what was sent is not repeated, and the answer does
    not grow with it."""
    parts = [
        {
            "where": ".".join([*before, *(str(part)[:MAX_NAME] for part in fault["loc"])]),
            "message": fault["msg"][:MAX_MESSAGE],
        }
        for fault in faults[:MAX_ERRORS]
    ]
    told = "; ".join(f"{part['where']}: {part['message']}" for part in parts[:3])
    more = len(faults) - 3
    return Problem(INVALID, f"{told}; and {more} more" if more > 0 else told, errors=parts)


def _allowed(request: Request) -> list[str]:
    """The methods that some route has for the path; the framework tells those of one route alone."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _kind_of(status: int) -> Kind:
    """The kind of an error that the framework raised."""
    if status == HTTPStatus.NOT_FOUND:
        return MISSING
    phrase = HTTPStatus(status).phrase
    return Kind(status, phrase.lower().replace(" ", "-"), phrase)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, for the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted(statuses)
    }
