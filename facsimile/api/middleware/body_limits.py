"""Bodies are counted while they arrive: no larger, slower, or more at a time than the limits."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from facsimile.api.problems import OVERLOADED, SLOW_BODY, TOO_LARGE, Problem
from facsimile.api.request_bodies import MAX_TEXT_BYTES
from facsimile.api.service import Options

#: after a body was answered early, how long its rest may pause, and how many bytes of it may come: where its
#: length is known all of it up to the second bound, else up to the first
LINGER_SECONDS = 2.0
LINGER_BYTES = 8_000_000
LINGER_MOST = 256_000_000

#: bytes of a body for a route that takes no picture
MAX_SMALL_BYTES = 100_000

#: where pictures may come
_WITH_PICTURES = ("/v1/search", "/v1/compare", "/v1/images", "/compat/match")


class BodyLimits:
    """ASGI middleware: no body is larger, slower, or takes more of the memory for all, than it may."""

    def __init__(self, app: ASGIApp, options: Options) -> None:
        self._app = app
        self._options = options
        self._held = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        taken = 0
        complete = False
        deadline: float | None = None
        most = _most(scope, self._options)

        async def counted() -> Message:
            nonlocal taken, complete, deadline
            if complete:
                return await receive()
            now = asyncio.get_running_loop().time()
            if deadline is None:
                _check_length(scope, most)
                deadline = now + self._options.body_seconds
            try:
                async with asyncio.timeout(deadline - now):
                    message = await receive()
            except TimeoutError:
                raise Problem(SLOW_BODY, f"over {self._options.body_seconds:g} s") from None
            size = len(message.get("body", b""))
            taken += size
            self._held += size
            if taken > most:
                raise _too_large(most)
            if self._held > self._options.buffer_bytes:
                self._held -= taken  # at once: else others, who now have room, were turned away with it
                taken = 0
                raise Problem(OVERLOADED, "too many images are on their way at present")
            complete = not message.get("more_body", False)
            return message

        early = False

        async def sent(message: Message) -> None:
            nonlocal early
            if message["type"] == "http.response.start" and not complete and _has_body(scope):
                # nobody needs the rest, which must not be taken for the next request
                MutableHeaders(scope=message)["Connection"] = "close"
                early = True
            elif early and not message.get("more_body", False):
                await send({**message, "more_body": True})
                await _pass_over(receive, _length(scope), self._options.body_seconds)
                message = {"type": "http.response.body"}
            await send(message)

        try:
            await self._app(scope, counted, sent)
        finally:
            self._held -= taken


async def _pass_over(receive: Receive, length: int, seconds: float) -> None:
    """Let the rest of a body come and drop it: to close a connection while bytes are on their way resets it,
    and a caller that sends all before it reads loses the answer. Bounded as a body that is read."""
    left = length if 0 < length <= LINGER_MOST else LINGER_BYTES
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while left > 0:
                async with asyncio.timeout(LINGER_SECONDS):
                    message = await receive()
                if not message.get("more_body", False):
                    return
                left -= len(message["body"])


def _too_large(most: int) -> Problem:
    return Problem(TOO_LARGE, f"a body has at most {most} bytes")


def _most(scope: Scope, options: Options) -> int:
    """The largest body of a request, in bytes: what holds no picture is small."""
    if not scope["path"].startswith(_WITH_PICTURES):
        return MAX_SMALL_BYTES
    kind = dict(scope["headers"]).get(b"content-type", b"").lower()
    return MAX_TEXT_BYTES if kind.startswith(b"application/x-www-form-urlencoded") else options.max_body


def _has_body(scope: Scope) -> bool:
    headers = dict(scope["headers"])
    return b"transfer-encoding" in headers or headers.get(b"content-length", b"0") != b"0"


def _check_length(scope: Scope, most: int) -> None:
    if _length(scope) > most:
        raise _too_large(most)


def _length(scope: Scope) -> int:
    """What the request says its body has; 0 where it does not say."""
    return int(
        dict(scope["headers"]).get(b"content-length", b"0")
    )  # the server has checked that it is a number
