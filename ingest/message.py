"""The message that brings one image: JSON that any service can write. `docs/queue.md` describes its fields.

The ledger keeps items in the same form, so there is one way to write an item down.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.errors import MessageError
from facsimile.ingest.item import Item
from facsimile.ingest.open_source import is_remote

VERSION = 1

#: what a field holds, by name and in words
_TYPES: dict[str, tuple[type, str]] = {
    "version": (int, "a number"),
    "source": (str, "a text"),
    "data": (str, "a text in base64"),
    "id": (str, "a text"),
    "collection": (str, "a text"),
    "title": (str, "a text"),
    "tags": (list, "a list of texts"),
    "metadata": (dict, "an object"),
}


def parse(raw: bytes | Mapping[str, Any], *, max_inline_bytes: int) -> Item:
    """The item that a message describes; fields that are null count as left out.

    `max_inline_bytes` limits the image that lies in the message itself. Such an image has the source that
    the message names, or else `message:` and the SHA-256 of its bytes. Raises MessageError, which names the
    part at fault.
    """
    fields = raw if isinstance(raw, Mapping) else _loaded(raw)
    fields = {name: value for name, value in fields.items() if value is not None or name not in _TYPES}
    if fault := next(_field_faults(fields), None):
        raise MessageError(fault)
    data = _decoded(fields["data"], max_inline_bytes) if "data" in fields else None
    source = fields.get("source") or f"message:{sha256(data or b'').hexdigest()}"
    item = _item(fields, source, data)
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


def _field_faults(fields: Mapping[str, Any]) -> Iterator[str]:
    version = fields.get("version")
    if version is None:
        yield f"the message has no version; known is {VERSION}"
    if type(version) is not int or version != VERSION:  # True equals 1
        yield f"version {_shown(version)} of a message is not known here; known is {VERSION}"
    for name, value in fields.items():
        if name not in _TYPES:
            yield f"the message has a field {_shown(name)}, which version {VERSION} does not know"
        kind, words = _TYPES[name]
        if not isinstance(value, kind):
            yield f"{name} is {_shown(value)}, not {words}"
    if not all(isinstance(tag, str) for tag in fields.get("tags", ())):
        yield "tags is not a list of texts"
    if not fields.get("source") and "data" not in fields:
        yield "the message has neither a source nor data"


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
