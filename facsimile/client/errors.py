"""Errors of the client: the exception that a problem document of the server becomes.

What the library raises too keeps its class (BrokenImage, RecordNotFound, InvalidRequest, …). Beside these:

FacsimileError
├── ServerError                   the server does not do what was asked; `problem` is its problem document
│   ├── ServerUnreachable         no connection, a broken one, or no answer before the timeout (transient)
│   ├── ServerBusy                too many requests, or a service that the server needs is down (transient)
│   ├── AuthError                 the API key is missing, unknown, or lacks the permission
│   └── ApiError                  every other error response
└── NotSupported                  an operation of the library that a server does not offer
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facsimile.imaging.errors import BrokenImage, EmptyImage, FacsimileError, ImageTooLarge, NotAnImage
from facsimile.ingest.errors import FetchRejected, FetchUnavailable, SourceNotAllowed, SourceTooLarge
from facsimile.search.errors import (
    AmbiguousId,
    IndexReadOnly,
    IndexUnavailable,
    InvalidRequest,
    RecordNotFound,
)
from facsimile.workers.errors import FindingNotFound, JobClosed, JobNotFound, ScanNotFound


class ServerError(FacsimileError):
    """The server does not do what was asked; `problem` is the problem document that it sent (RFC 9457)."""

    def __init__(self, sentence: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.problem = dict(problem or {})


class ServerUnreachable(ServerError):
    """There is no connection to the server, it broke, or no answer came before the timeout."""

    exit_code = 3
    transient = True


class ServerBusy(ServerError):
    """The server is overloaded or limits this client's rate, or a service that it needs is down."""

    exit_code = 3
    transient = True


class AuthError(ServerError):
    """The API key is missing, unknown, or lacks the permission for this request."""

    exit_code = 2


class ApiError(ServerError):
    """The server answers with an error that has no class of its own."""


class NotSupported(FacsimileError):
    """The library has this operation and a server does not offer it; the message says what to use."""

    exit_code = 2


#: by the last part of the problem's type
KNOWN: Mapping[str, type[FacsimileError]] = {
    "image-empty": EmptyImage,
    "image-unknown": NotAnImage,
    "image-broken": BrokenImage,
    "image-too-large": ImageTooLarge,
    "record-missing": RecordNotFound,
    "job-missing": JobNotFound,
    "job-closed": JobClosed,
    "scan-missing": ScanNotFound,
    "finding-missing": FindingNotFound,
    "invalid": InvalidRequest,
    "index-unavailable": IndexUnavailable,
    "index-read-only": IndexReadOnly,
    "fetch-rejected": FetchRejected,
    "fetch-failed": FetchUnavailable,
    "url-refused": SourceNotAllowed,
    "source-too-large": SourceTooLarge,
}

_BY_STATUS: Mapping[int, type[ServerError]] = {
    401: AuthError,
    403: AuthError,
    429: ServerBusy,
    503: ServerBusy,
}


def error_of(status: int, problem: Mapping[str, Any]) -> FacsimileError:
    """The exception for a response with this status and problem document."""
    name = str(problem.get("type", "")).removeprefix("urn:facsimile:")
    title = str(problem.get("title", f"the server answered {status}"))
    detail = str(problem.get("detail", title))
    error: FacsimileError
    if name == "ambiguous":
        error = AmbiguousId(detail, problem.get("collections", ()))
    elif known := KNOWN.get(name):
        error = known(detail)
    else:
        kind = _BY_STATUS.get(status, ApiError)
        error = kind(detail if detail == title else f"{title}: {detail}", problem)
    if request := problem.get("request_id"):
        error.add_note(f"request id of the server: {request}")
    return error
