"""Bodies: counted while they arrive, and read as JSON or as a form with files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import MutableHeaders, UploadFile
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from search.api.problems import BUSY, MEDIA, SLOW_BODY, TOO_LARGE, Problem, invalid
from search.api.schemas import FORM, MAX_VALUES, json_values
from search.api.service import Options

Model = TypeVar("Model", bound=BaseModel)

#: after a body was answered early, how long its rest may pause, and how many bytes of it may come: where its
#: length is known all of it up to the second bound, else up to the first
LINGER_SECONDS = 2.0
LINGER_BYTES = 8_000_000
LINGER_MOST = 256_000_000

#: fields of a form, and bytes of one that is no file
MAX_FIELDS = 200
MAX_FIELD_BYTES = 256 * 1024

#: bytes of a JSON body apart from its pictures, and of a form that cannot hold files
MAX_TEXT_BYTES = 1_000_000

#: bytes of a body for a route that takes no picture
MAX_SMALL_BYTES = 100_000

#: where pictures may come
_WITH_PICTURES = ("/v1/search", "/v1/compare", "/v1/images", "/compat/match")

_PICTURE = re.compile(rb'"image_base64"\s*:\s*"')


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
                raise Problem(BUSY, "too many images are on their way at present")
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


async def read(request: Request, model: type[Model]) -> tuple[Model, dict[str, list[bytes]]]:
    """The body as a model, and the bytes of its files by the names of their fields.

    JSON, or a form whose fields are those of the model; a field that is repeated is a list. Raises Problem:
    413 for a file over the limit, 415 for another content type, 422 for what the model does not take.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        if kind == "application/json":
            return await asyncio.to_thread(_from_json, model, await request.body()), {}
        if kind in ("multipart/form-data", "application/x-www-form-urlencoded"):
            fields, files = await form(request)
            given = {name: values[0] if len(values) == 1 else values for name, values in fields.items()}
            return model.model_validate(given, context=FORM), files
    except ValidationError as error:
        raise invalid(error.errors(include_url=False, include_input=False), "body") from None
    raise Problem(MEDIA, "send application/json or multipart/form-data")


def _from_json(model: type[Model], data: bytes) -> Model:
    """The model that JSON says. Its size is checked before an object is built of it."""
    text = _text_bytes(data)
    if text > MAX_TEXT_BYTES:
        raise Problem(
            TOO_LARGE,
            f"apart from `image_base64`, a JSON body has at most {MAX_TEXT_BYTES} bytes, not {text}",
        )
    if (values := json_values(data)) > MAX_VALUES:
        raise Problem(TOO_LARGE, f"a JSON body has at most {MAX_VALUES} values, not {values}")
    return model.model_validate_json(data, strict=True)


def _text_bytes(data: bytes) -> int:
    """How many bytes of JSON are not in pictures."""
    text = len(data)
    at = 0
    while (at := data.find(b'"image_base64"', at)) >= 0:
        begin = _PICTURE.match(data, at)
        at = begin.end() if begin else at + 1
        end = data.find(b'"', at)
        if begin and end >= 0:
            text -= end - at
            at = end
    return text


async def form(request: Request) -> tuple[dict[str, list[str]], dict[str, list[bytes]]]:
    """The fields and the files of a form. Raises Problem and HTTPException (400)."""
    options: Options = request.app.state.working.options
    fields: dict[str, list[str]] = {}
    files: dict[str, list[bytes]] = {}
    async with request.form(
        max_files=options.max_batch, max_fields=MAX_FIELDS, max_part_size=MAX_FIELD_BYTES
    ) as found:
        for name, value in found.multi_items():
            if isinstance(value, UploadFile):
                if (value.size or 0) > options.max_bytes:
                    raise Problem(TOO_LARGE, f"an image has at most {options.max_bytes} bytes")
                files.setdefault(name, []).append(await value.read())
            else:
                fields.setdefault(name, []).append(value)
    return fields, files


def body(model: type[BaseModel], *, files: dict[str, str], example: dict[str, Any]) -> dict[str, Any]:
    """The `openapi_extra` of a route that reads its body by `read`; `files` are the fields that hold one."""
    schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
    parts = schema.pop("$defs", {})
    fields = {name: part.get("description", "") for name, part in schema["properties"].items()}
    told = form_body(fields, files)
    told["requestBody"]["content"]["application/json"] = {
        "schema": {"$ref": f"#/components/schemas/{model.__name__}"},
        "example": example,
    }
    return told | {SCHEMAS: {**parts, model.__name__: schema}}


def form_body(
    fields: dict[str, str], files: dict[str, str] | None = None, required: Sequence[str] = ()
) -> dict[str, Any]:
    """The same for a route that takes a form alone: what each field and each file is."""
    properties = {name: {"type": "string", "description": told} for name, told in fields.items()} | {
        name: {"type": "string", "format": "binary", "description": told}
        for name, told in (files or {}).items()
    }
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}


#: where `body` leaves the schemas of a route until `hoisted` takes them to the document's own
SCHEMAS = "x-schemas"


def hoisted(document: dict[str, Any]) -> dict[str, Any]:
    """The OpenAPI document with the schemas of all bodies among its components."""
    schemas = document["components"]["schemas"]
    for path in document["paths"].values():
        for operation in path.values():
            schemas.update(operation.pop(SCHEMAS, {}))
    return document
