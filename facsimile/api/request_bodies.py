"""Bodies of requests, read as JSON or as a form with files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from typing import Any, TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.datastructures import UploadFile

from facsimile.api.problems import TOO_LARGE, UNSUPPORTED_MEDIA_TYPE, Problem, invalid
from facsimile.api.schemas.fields import FORM, MAX_VALUES, json_values
from facsimile.api.service import Options

BodyModel = TypeVar("BodyModel", bound=BaseModel)

#: fields of a form, and bytes of one that is no file
MAX_FIELDS = 200
MAX_FIELD_BYTES = 256 * 1024

#: bytes of a JSON body apart from its pictures, and of a form that cannot hold files
MAX_TEXT_BYTES = 1_000_000

_PICTURE = re.compile(rb'"image_base64"\s*:\s*"')


async def read(request: Request, model: type[BodyModel]) -> tuple[BodyModel, dict[str, list[bytes]]]:
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
    raise Problem(UNSUPPORTED_MEDIA_TYPE, "send application/json or multipart/form-data")


def _from_json(model: type[BodyModel], data: bytes) -> BodyModel:
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
    options: Options = request.app.state.stages.options
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
    json = {"schema": {"$ref": f"#/components/schemas/{model.__name__}"}, "example": example}
    extra = form_body(fields, files)
    # JSON first: generated clients take the first form of a body
    extra["requestBody"]["content"] = {"application/json": json, **extra["requestBody"]["content"]}
    return extra | {SCHEMAS: {**parts, model.__name__: schema}}


def form_body(
    fields: dict[str, str], files: dict[str, str] | None = None, required: Sequence[str] = ()
) -> dict[str, Any]:
    """The same for a route that takes a form alone: what each field and each file is."""
    properties = {
        name: {"type": "string", "description": description} for name, description in fields.items()
    } | {
        name: {"type": "string", "format": "binary", "description": description}
        for name, description in (files or {}).items()
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
