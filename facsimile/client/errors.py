"""Errors of the client: what a problem document of the server is here.

What the embedded object raises too, keeps its class (BrokenImage, RecordMissing, InvalidRequest, …). Beside:

FacsimileError
└── ServerError                   the server does not do what was asked; `problem` is its document
    ├── ServerUnreachable         no connection, or it broke, or no answer in time (transient)
    ├── ServerBusy                too many requests, or a service behind it is down (transient)
    ├── KeyRefused                no key, an unknown one, or one that may not do this
    ├── Ambiguous                 several collections have a record of this id
    └── RequestRefused            every other answer that is an error
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from facsimile.imaging.errors import BrokenImage, EmptyImage, FacsimileError, ImageTooLarge, NotAnImage
from facsimile.ingest.errors import FetchFailed, FetchRejected, SourceRefused, SourceTooLarge
from facsimile.search.errors import IndexReadOnly, IndexUnavailable, InvalidRequest, RecordMissing
from facsimile.workers.errors import JobMissing


class ServerError(FacsimileError):
    """The server does not do what was asked."""

    def __init__(self, sentence: str, problem: Mapping[str, Any] | None = None) -> None:
        super().__init__(sentence)
        self.problem = dict(problem or {})


class ServerUnreachable(ServerError):
    """There is no connection to the server, it broke, or no answer came in time."""

    exit_code = 3
    transient = True


class ServerBusy(ServerError):
    """The server has too much to do for us at present, or something that it needs is down."""

    exit_code = 3
    transient = True


class KeyRefused(ServerError):
    """The server wants a key, does not know this one, or does not let it do this."""

    exit_code = 2


class Ambiguous(ServerError):
    """Several collections have a record of this id: name one."""

    exit_code = 2


class RequestRefused(ServerError):
    """The server answers with an error that has no class of its own."""


#: by the last part of the problem's type; errors that have no document are made without one
KNOWN: Mapping[str, type[FacsimileError]] = {
    "image-empty": EmptyImage,
    "image-unknown": NotAnImage,
    "image-broken": BrokenImage,
    "image-too-large": ImageTooLarge,
    "record-missing": RecordMissing,
    "job-missing": JobMissing,
    "invalid": InvalidRequest,
    "index-unavailable": IndexUnavailable,
    "index-read-only": IndexReadOnly,
    "fetch-rejected": FetchRejected,
    "fetch-failed": FetchFailed,
    "url-refused": SourceRefused,
    "source-too-large": SourceTooLarge,
}

_OWN: Mapping[int, type[ServerError]] = {401: KeyRefused, 403: KeyRefused, 429: ServerBusy, 503: ServerBusy}


def error_of(status: int, problem: Mapping[str, Any]) -> FacsimileError:
    """The error that an answer with this status and problem document is."""
    name = str(problem.get("type", "")).removeprefix("urn:facsimile:")
    title = str(problem.get("title", f"the server answered {status}"))
    detail = str(problem.get("detail", title))
    error: FacsimileError
    if known := KNOWN.get(name):
        error = known(detail)
    else:
        kind = Ambiguous if name == "ambiguous" else _OWN.get(status, RequestRefused)
        error = kind(detail if detail == title else f"{title}: {detail}", problem)
    if request := problem.get("request_id"):
        error.add_note(f"the server calls this request {request}")
    return error
