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
class ProblemType:
    """A type of problem: its HTTP status, the last part of its type URI, a title, and seconds to wait."""

    status: int
    name: str
    title: str
    retry_after: int = 0


UNAUTHENTICATED = ProblemType(401, "key-needed", "Authentication required")
FORBIDDEN = ProblemType(403, "forbidden", "Permission denied")
NOT_FOUND = ProblemType(404, "not-found", "Not found")
AMBIGUOUS = ProblemType(409, "ambiguous", "Ambiguous id")
IN_PROGRESS = ProblemType(409, "in-progress", "Request in progress", 1)
SLOW_BODY = ProblemType(408, "body-too-slow", "Request body timed out")
TOO_LARGE = ProblemType(413, "too-large", "Request too large")
UNSUPPORTED_MEDIA_TYPE = ProblemType(415, "media-type", "Unsupported media type")
INVALID = ProblemType(422, "invalid", "Invalid request")
KEY_REUSED = ProblemType(422, "idempotency-key-reused", "Idempotency-Key reused")
RATE_LIMITED = ProblemType(429, "rate-limit", "Rate limit exceeded", 1)
INTERNAL_ERROR = ProblemType(500, "fault", "Internal server error")
OVERLOADED = ProblemType(503, "busy", "Server overloaded", 1)
TIMED_OUT = ProblemType(503, "timeout", "Timed out", 5)

#: the type of problem of each error; the nearest base class applies
PROBLEM_TYPES: Mapping[type[FacsimileError], ProblemType] = {
    EmptyImage: ProblemType(422, "image-empty", "Empty image"),
    NotAnImage: ProblemType(415, "image-unknown", "Unsupported image format"),
    BrokenImage: ProblemType(422, "image-broken", "Damaged image"),
    ImageTooLarge: ProblemType(413, "image-too-large", "Image too large"),
    ModelError: ProblemType(503, "model-unavailable", "Model unavailable", 60),
    AmbiguousId: AMBIGUOUS,
    RecordNotFound: ProblemType(404, "record-missing", "Record not found"),
    InvalidRequest: INVALID,
    IndexUnavailable: ProblemType(503, "index-unavailable", "Index unavailable", 5),
    IndexReadOnly: ProblemType(503, "index-read-only", "Index read-only", 30),
    StoreError: ProblemType(503, "index-unusable", "Index unusable", 60),
    # what is wrong with an address that a request gave; failures of other servers are not ours, so no 5xx
    SourceError: ProblemType(424, "fetch-rejected", "Fetch failed"),
    SourceNotAllowed: ProblemType(422, "url-refused", "URL not allowed"),
    SourceTooLarge: ProblemType(413, "source-too-large", "Source too large"),
    FetchUnavailable: ProblemType(424, "fetch-failed", "Source unavailable", 10),
    DecoderBusy: OVERLOADED,
    DecoderCrashed: ProblemType(422, "image-unreadable", "Image decoder crashed"),
    DecoderTimeout: ProblemType(422, "image-too-slow", "Image decoding timed out"),
    JobNotFound: ProblemType(404, "job-missing", "Job not found"),
    ScanNotFound: ProblemType(404, "scan-missing", "Scan not found"),
    FindingNotFound: ProblemType(404, "finding-missing", "Finding not found"),
    AllowanceNotFound: ProblemType(404, "allowance-missing", "Allowance not found"),
    JobClosed: ProblemType(409, "job-closed", "Job closed"),
    BrokerUnavailable: ProblemType(503, "queue-unavailable", "Queue unavailable", 5),
    FacsimileError: INTERNAL_ERROR,
}

#: invalid parts that one answer lists, and characters of the name and of the message of each
MAX_ERRORS = 20
MAX_NAME = 100
MAX_MESSAGE = 500


class Problem(HTTPException):
    """An error that the API itself raises. `more` are further members of the document."""

    def __init__(
        self, kind: ProblemType, detail: str = "", *, headers: Mapping[str, str] | None = None, **more: Any
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
    title: str = Field(examples=["Damaged image"])
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


#: renders an error in another format: status, message, headers
ErrorRenderer = Callable[[int, str, Mapping[str, str]], Response]


class Problems:
    """Turns errors into responses. `renderers` are those of the routes under a prefix."""

    def __init__(self, renderers: Mapping[str, ErrorRenderer] | None = None) -> None:
        self._renderers = renderers or {}

    def of(self, error: FacsimileError) -> Problem:
        """The problem of an error; details of internal ones go to the log only."""
        problem = self._problem_of(type(error), str(error))
        if isinstance(error, AmbiguousId):
            problem.more = {"collections": list(error.collections)}
        return problem

    def of_outcome(self, outcome: Outcome) -> Problem:
        """The problem of a failed item."""
        return self._problem_of(outcome.error_type or FacsimileError, outcome.reason)

    def _problem_of(self, error: type[FacsimileError], message: str) -> Problem:
        kind = next(PROBLEM_TYPES[base] for base in error.__mro__ if base in PROBLEM_TYPES)
        if kind.status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return Problem(kind, message)
        log.error("problem", kind=kind.name, reason=message)
        return Problem(kind)

    def answer(self, path: str, request_id: str, problem: HTTPException) -> Response:
        """The response of a problem."""
        kind = problem.kind if isinstance(problem, Problem) else _kind_of(problem.status_code)
        headers = dict(problem.headers or {})
        if kind.retry_after:
            headers.setdefault("Retry-After", str(kind.retry_after))
        for prefix, render in self._renderers.items():
            if path.startswith(prefix):
                return render(problem.status_code, problem.detail, headers)
        document = _document(kind, request_id, problem)
        return JSONResponse(document, problem.status_code, headers, media_type=MEDIA_TYPE)

    def document(self, request_id: str, error: FacsimileError | Problem) -> ProblemDocument:
        """The document of an error in one part of a request."""
        problem = self.of(error) if isinstance(error, FacsimileError) else error
        return ProblemDocument.model_validate(_document(problem.kind, request_id, problem))

    def install(self, app: FastAPI) -> None:
        """Handle every error of the app."""

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
        return error if isinstance(error, HTTPException) else Problem(INTERNAL_ERROR)


def _document(kind: ProblemType, request_id: str, problem: HTTPException) -> dict[str, Any]:
    return {
        "type": f"urn:facsimile:{kind.name}",
        "title": kind.title,
        "status": problem.status_code,
        "detail": problem.detail,
        "request_id": request_id,
        **(problem.more if isinstance(problem, Problem) else {}),
    }


def invalid(faults: Sequence[Any], *before: str) -> Problem:
    """The problem of an invalid request; the answer neither repeats what was sent nor grows with it."""
    parts = [
        {
            "where": ".".join([*before, *(str(part)[:MAX_NAME] for part in fault["loc"])]),
            "message": fault["msg"][:MAX_MESSAGE],
        }
        for fault in faults[:MAX_ERRORS]
    ]
    detail = "; ".join(f"{part['where']}: {part['message']}" for part in parts[:3])
    more = len(faults) - 3
    return Problem(INVALID, f"{detail}; and {more} more" if more > 0 else detail, errors=parts)


def _allowed(request: Request) -> list[str]:
    """The methods of all routes with this path; the framework lists those of one route only."""
    return [
        method
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
        if any(
            route.matches({**request.scope, "method": method})[0] is Match.FULL
            for route in request.app.routes
        )
    ]


def _kind_of(status: int) -> ProblemType:
    """The type of an error that the framework raised."""
    if status == HTTPStatus.NOT_FOUND:
        return NOT_FOUND
    phrase = HTTPStatus(status).phrase
    return ProblemType(status, phrase.lower().replace(" ", "-"), phrase)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The `responses` of a route that may answer with these errors, for the OpenAPI document."""
    schema = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in sorted(statuses)
    }
