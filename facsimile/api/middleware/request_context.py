"""Outermost middleware: request ids, security headers, access log, metrics, catch-all errors."""

from __future__ import annotations

import asyncio
import re
import secrets
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facsimile.api.metrics import Metrics
from facsimile.api.problems import INTERNAL_ERROR, OVERLOADED, Problem, Problems, ProblemType
from facsimile.api.service import Options
from facsimile.workers.logging import bind_context, logger

log = logger("facsimile.access")

MISDIRECTED = ProblemType(421, "misdirected", "Unknown host name")
CROSS_ORIGIN = ProblemType(403, "foreign-page", "Cross-origin request denied")

#: responses are data: browsers must not guess their type, run, frame or cache them
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")

#: requested by orchestrators, which know a server by its address only
_PROBES = ("/healthz", "/readyz")

_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class RequestContext:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, options: Options, metrics: Metrics, problems: Problems) -> None:
        self._app = app
        self._options = options
        self._metrics = metrics
        self._problems = problems
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        # an id is one segment of a path, whatever it contains: routes see the path as it was sent
        scope["path"] = scope["raw_path"].decode("ascii", "replace")
        start = time.perf_counter()
        status = 0
        self._inside += 1

        async def sent(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                answer = MutableHeaders(scope=message)
                answer["X-Request-ID"] = request_id
                for name, value in HEADERS.items():
                    answer.setdefault(name, value)
                if rate := state.get("rate"):  # as in draft-ietf-httpapi-ratelimit-headers-06
                    answer["RateLimit-Limit"] = str(rate.limit)
                    answer["RateLimit-Remaining"] = str(rate.remaining)
                    answer["RateLimit-Reset"] = str(rate.reset)
            await send(message)

        with bind_context(request=request_id):
            try:
                if refused := self._refused(scope, headers):
                    await self._problems.answer(scope["path"], request_id, refused)(scope, receive, sent)
                else:
                    await self._app(scope, receive, sent)
            except (ClientDisconnect, asyncio.CancelledError) as error:
                status = status or 499  # the client disconnected
                if isinstance(error, asyncio.CancelledError):
                    raise
            except Exception:
                log.exception("unhandled_error")
                if status:
                    raise
                await self._problems.answer(scope["path"], request_id, Problem(INTERNAL_ERROR))(
                    scope, receive, sent
                )
            finally:
                self._inside -= 1
                self._tell(scope, status, time.perf_counter() - start)

    def _refused(self, scope: Scope, headers: Headers) -> Problem | None:
        """The problem of a request that is not processed: there are too many, it is for another host, or a
        page of another origin sent it.

        The latter two protect a server without keys from web pages: browsers reach the loopback address.
        """
        host = headers.get("host", "")
        if scope["path"] in _PROBES:
            return None
        if self._inside > self._options.requests:
            self._metrics.refused("edge")
            return Problem(OVERLOADED, f"{self._options.requests} requests are on their way")
        if self._options.hosts and _name(host) not in self._options.hosts:
            return Problem(MISDIRECTED, "the Host header names another server")
        origin = headers.get("origin")
        if not origin or scope["method"] in _SAFE or origin in self._options.origins:
            return None
        return None if origin.partition("://")[2] == host else Problem(CROSS_ORIGIN)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.request(scope["method"], route, status, seconds)
        log.info(
            "request",
            method=scope["method"],
            path=scope["path"],
            status=status,
            ms=round(seconds * 1000, 1),
            client=scope["client"][0] if scope.get("client") else None,
            caller=scope["state"].get("caller"),
        )


#: a name or an address with an optional port, as RFC 9110 has it: no user, path or query
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{0,5})?", re.IGNORECASE)


def _name(host: str) -> str:
    """The name in a Host header, without the port; empty for what is none."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""
