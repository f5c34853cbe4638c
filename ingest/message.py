"""The message that brings one image: JSON that any service can write. `docs/queue.md` describes its fields.

The ledger keeps items in the same form, so there is one way to write an item down.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from facsimile.imaging.record import DEFAULT_COLLECTION, WebPage
from facsimile.ingest.errors import MessageError
from facsimile.ingest.item import Item
from facsimile.ingest.open_source import is_remote
from facsimile.search.index.validation import COLLECTION

VERSION = 1


class MessagePage(BaseModel):
    """A web page that shows the image."""

    model_config = ConfigDict(extra="forbid", strict=True, title="page")

    url: str
    title: str | None = None
    text: str | None = Field(None, description="the caption or the alternative text of the image there")
    seen_at: str | None = Field(None, description="when that was seen first: date and time, ISO 8601")

    @field_validator("seen_at")
    @classmethod
    def _is_time(cls, value: str | None) -> str | None:
        if value is not None:
            datetime.fromisoformat(value)
        return value


class Message(BaseModel):
    """One image to ingest, as a message of another service; fields that are null count as left out."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        title="facsimile message",
        json_schema_extra={
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "anyOf": [{"required": ["source"]}, {"required": ["data"]}],
        },
    )

    version: Literal[1] = Field(description="of this format; another one becomes a dead letter")
    source: str | None = Field(None, description="a URL, or an absolute path that the workers can read")
    data: str | None = Field(
        None,
        description="the image itself in base64; without a source the record has `message:` and the SHA-256",
        json_schema_extra={"contentEncoding": "base64"},
    )
    id: str | None = Field(None, description="of the record; by default the SHA-256 of the bytes")
    collection: str | None = Field(None, description="default: `default`", pattern=f"^{COLLECTION.pattern}$")
    title: str | None = None
    tags: list[str] | None = None
    metadata: dict[Any, Any] | None = Field(None, description="any JSON object")
    pages: list[MessagePage] | None = Field(None, description="web pages that show the image")

    @field_validator("version", mode="before")
    @classmethod
    def _is_number(cls, value: object) -> object:
        if isinstance(value, bool):  # True equals 1
            raise ValueError("a truth value is not a number")
        return value


#: what a field holds, in words
_TYPES = {
    "source": "a text",
    "data": "a text in base64",
    "id": "a text",
    "collection": "a text",
    "title": "a text",
    "tags": "a list of texts",
    "metadata": "an object",
    "pages": "a list of pages, objects with `url` and perhaps `title`, `text` and `seen_at` (ISO 8601)",
}


def parse(raw: bytes | Mapping[str, Any], *, max_inline_bytes: int) -> Item:
    """The item that a message describes.

    `max_inline_bytes` limits the image that is in the message itself. Such an image has the source that the
    message names, or else `message:` and the SHA-256 of its bytes. Raises MessageError, which names the
    invalid part.
    """
    fields = raw if isinstance(raw, Mapping) else _loaded(raw)
    try:
        message = Message.model_validate(fields)
    except ValidationError as error:
        raise MessageError(_sentence(error.errors(include_url=False)[0], fields)) from None
    if not message.source and message.data is None:
        raise MessageError("the message has neither a source nor data")
    data = None if message.data is None else _decoded(message.data, max_inline_bytes)
    source = message.source or f"message:{sha256(data or b'').hexdigest()}"
    item = _item(message.model_dump(exclude_none=True), source, data)
    if fault := next(_item_faults(item), None):
        raise MessageError(fault)
    return item


def format_item(item: Item) -> dict[str, Any]:
    """The item as a message, its bytes included; `item_of` makes the same item of it."""
    message: dict[str, Any] = {"version": VERSION, "source": item.source}
    if item.data is not None:
        message["data"] = base64.b64encode(item.data).decode("ascii")
    if item.id is not None:
        message["id"] = item.id
    if item.collection != DEFAULT_COLLECTION:
        message["collection"] = item.collection
    if item.title:
        message["title"] = item.title
    if item.tags:
        message["tags"] = list(item.tags)
    if item.metadata:
        message["metadata"] = dict(item.metadata)
    if item.location:
        message["location"] = item.location
    if item.pages:
        message["pages"] = [page.as_json() for page in item.pages]
    return message


def item_of(message: Mapping[str, Any]) -> Item:
    """The item of a message that `format_item` made; nothing is checked."""
    data = base64.b64decode(message["data"]) if "data" in message else None
    return _item(message, message["source"], data)


def _item(fields: Mapping[str, Any], source: str, data: bytes | None) -> Item:
    return Item(
        source=source,
        id=fields.get("id"),
        collection=fields.get("collection", DEFAULT_COLLECTION),
        title=fields.get("title", ""),
        tags=tuple(fields.get("tags", ())),
        metadata=fields.get("metadata", {}),
        pages=tuple(map(WebPage.from_json, fields.get("pages", ()))),
        location=fields.get("location", ""),
        data=data,
    )


def _loaded(raw: bytes) -> dict[str, Any]:
    try:
        fields = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MessageError(f"the message is no JSON: {error}") from None
    if not isinstance(fields, dict):
        raise MessageError(f"the message is a JSON {type(fields).__name__}, not an object")
    return fields


def _sentence(error: Mapping[str, Any], fields: Mapping[str, Any]) -> str:
    """What is wrong with a message, from the first error of its validation."""
    name, *inside = error["loc"] or (error["input"],)  # a name that is not valid Unicode has no place
    value = _shown(fields.get(name))
    if name == "version" and fields.get(name) is None:
        sentence = f"the message has no version; known is {VERSION}"
    elif name == "version":
        sentence = f"version {value} of a message is not known here; known is {VERSION}"
    elif name not in _TYPES:
        sentence = f"the message has a field {_shown(name)}, which version {VERSION} does not know"
    elif error["type"] == "string_unicode":
        sentence = f"{'a' if name == 'source' else 'the'} {name} is not valid Unicode"
    elif error["type"] == "string_pattern_mismatch":
        sentence = f"{value} is no name for a collection"
    else:
        sentence = f"{name} is not {_TYPES[name]}" if inside else f"{name} is {value}, not {_TYPES[name]}"
    return sentence


def _item_faults(item: Item) -> Iterator[str]:
    yield from item.faults()
    if "\0" in item.source:
        yield "the source holds a NUL character"
    if item.data is None and not (is_remote(item.source) or Path(item.source).is_absolute()):
        yield f"the source {_shown(item.source)} is neither a URL nor an absolute path"


def _decoded(text: str, most: int) -> bytes:
    try:
        # many programs write base64 in lines
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise MessageError("data is not base64") from None
    if len(data) > most:
        raise MessageError(f"data has {len(data)} bytes; at most {most} may lie in a message")
    return data


def _shown(value: object) -> str:
    """The beginning of a stranger's value, on one line and in letters that any log takes."""
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:80]}…"
