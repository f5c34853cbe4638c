"""`/`: the page for people, as plain files that no build step made and that ask nobody but this server."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

from fastapi import APIRouter, Header, Response

from facsimile.api.problems import MISSING, Problem

router = APIRouter(include_in_schema=False)

#: what the page may do: run and look like its own files, ask this server, and show pictures that it made
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",  # no text becomes markup, whatever it holds
        "trusted-types 'none'",
    )
)

_MEDIA = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    media: str
    tag: str


def _files() -> dict[str, _File]:
    found = {}
    for part in files("facsimile.web").iterdir():
        media = _MEDIA.get(part.name.rpartition(".")[2])
        if media:
            data = part.read_bytes()
            found[part.name] = _File(data, media, f'"{hashlib.sha256(data).hexdigest()[:32]}"')
    return found


_FILES = _files()

IfNoneMatch = Annotated[str | None, Header()]


@router.get("/")
async def start(if_none_match: IfNoneMatch = None) -> Response:
    """The page."""
    return _answer("index.html", if_none_match)


@router.get("/page/{name}")
async def part(name: str, if_none_match: IfNoneMatch = None) -> Response:
    """One of its files."""
    return _answer(name, if_none_match)


def _answer(name: str, held: str | None) -> Response:
    file = _FILES.get(name)
    if file is None:
        raise Problem(MISSING)
    # kept by the browser, which asks each time whether it is still good
    headers = {"ETag": file.tag, "Cache-Control": "no-cache", "Content-Security-Policy": POLICY}
    if file.tag in [each.strip().removeprefix("W/") for each in (held or "").split(",")]:
        return Response(status_code=304, headers=headers)
    return Response(file.data, media_type=file.media, headers=headers)
