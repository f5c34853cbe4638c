"""Files for browsers, served from packages with a policy of their own."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from importlib.resources import files
from typing import Annotated

from fastapi import Header, Response

from facsimile.api.problems import NOT_FOUND, Problem

#: the header with which a browser asks whether its copy is still current
IfNoneMatch = Annotated[str | None, Header()]

_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class _File:
    data: bytes
    media_type: str
    etag: str


class StaticFiles:
    """Files of packages, read once, served under one Content-Security-Policy."""

    def __init__(self, policy: str) -> None:
        self._policy = policy
        self._files: dict[str, _File] = {}

    def add(self, package: str, *names: str) -> None:
        """Serve these files of a package; without names all that browsers can use."""
        for path in files(package).iterdir():
            media_type = _MEDIA_TYPES.get(path.name.rpartition(".")[2])
            if media_type and (not names or path.name in names):
                data = path.read_bytes()
                etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
                self._files[path.name] = _File(data, media_type, etag)

    def respond(self, name: str, if_none_match: str | None) -> Response:
        """The response with a file; 304 where the browser holds the current one. Raises Problem."""
        file = self._files.get(name)
        if file is None:
            raise Problem(NOT_FOUND)
        # cached by the browser, and revalidated each time
        headers = {"ETag": file.etag, "Cache-Control": "no-cache", "Content-Security-Policy": self._policy}
        if file.etag in [each.strip().removeprefix("W/") for each in (if_none_match or "").split(",")]:
            return Response(status_code=304, headers=headers)
        return Response(file.data, media_type=file.media_type, headers=headers)
