"""`/docs`: interactive documentation of the API, by Swagger UI from an installed package.

Nothing is loaded from another host. The package is a carrier of the files only: the page around them, and the
policy that they run under, are ours.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from facsimile.api.static_files import IfNoneMatch, StaticFiles

router = APIRouter(prefix="/docs", include_in_schema=False)

#: what the page may do: run and apply the files of this server, and send requests to it. Swagger UI makes
#: markup from the document, so it cannot run under trusted types as the web page does
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)

_FILES = StaticFiles(POLICY)
_FILES.add("facsimile.web.docs")
_FILES.add("fastapi_swagger.resources", "swagger-ui-bundle.js", "swagger-ui.css")


@router.get("")
async def docs_page(if_none_match: IfNoneMatch = None) -> Response:
    """The page."""
    return _FILES.respond("docs.html", if_none_match)


@router.get("/{name}")
async def docs_file(name: str, if_none_match: IfNoneMatch = None) -> Response:
    """One of its files."""
    return _FILES.respond(name, if_none_match)
