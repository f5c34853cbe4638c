"""`/`: the web page, as plain files without a build step that send requests to this server only."""

from __future__ import annotations

from fastapi import APIRouter, Response

from facsimile.api.static_files import IfNoneMatch, StaticFiles

router = APIRouter(include_in_schema=False)

#: what the page may do: run and apply its own files, ask this server, and show pictures that it made
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
        "require-trusted-types-for 'script'",  # text never becomes markup, whatever it contains
        "trusted-types 'none'",
    )
)

_FILES = StaticFiles(POLICY)
_FILES.add("facsimile.web")
_FILES.add("facsimile.search.templates", "pair.css", "pair.js")


@router.get("/")
async def page(if_none_match: IfNoneMatch = None) -> Response:
    """The page."""
    return _FILES.respond("index.html", if_none_match)


@router.get("/page/{name}")
async def page_file(name: str, if_none_match: IfNoneMatch = None) -> Response:
    """One of its files."""
    return _FILES.respond(name, if_none_match)
