"""Which records no index takes, and why: one answer for both indices."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from imaging.record import BITS, MAX_ID_BYTES, MOST_PANELS, ImageRecord
from search.errors import InvalidRequest

#: a collection is also a part of URLs, file names and log lines
COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

#: longest tag or source in bytes of UTF-8: they are kept as terms, and Lucene's end at 32 KiB
MAX_TERM_BYTES = 8192

#: largest metadata in bytes of JSON, and the deepest nesting
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 20

_DIGEST = re.compile(r"[0-9a-f]{64}")


def fault_of(record: ImageRecord, dims: int) -> str:
    """Why an index of `dims` vector dimensions cannot keep this record, as a sentence; empty if it can."""
    return next(_faults(record, dims), "")


def _faults(record: ImageRecord, dims: int) -> Iterator[str]:
    yield from name_faults(record.id, record.collection)
    if not (_DIGEST.fullmatch(record.sha256) and _DIGEST.fullmatch(record.pixels)):
        yield "sha256 and pixels are 64 hexadecimal digits in small letters"
    if not 0 <= record.quality <= 100:
        yield f"quality {record.quality} is not within 0 to 100"
    if record.added_at.tzinfo is None:
        yield "added_at has no time zone"
    yield from _signature_faults(record, dims)
    yield from word_faults(record.sources, record.title, record.tags, record.metadata)


def name_faults(id: str, collection: str) -> Iterator[str]:
    """What keeps a record from being called so."""
    yield from text_faults("the id", id, MAX_ID_BYTES)
    if not id:
        yield "the id is empty"
    if "\0" in id:
        yield "the id holds a NUL character"
    yield from _collection_faults(collection)


def check_collection(name: str) -> str:
    """The name, if a collection can be called so; raises InvalidRequest before anything is read for it."""
    if fault := next(_collection_faults(name), ""):
        raise InvalidRequest(fault)
    return name


def _collection_faults(name: str) -> Iterator[str]:
    if not COLLECTION.fullmatch(name):
        yield (
            f"{name[:80]!r} is no name for a collection: "
            "1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or a digit"
        )


def word_faults(
    sources: Sequence[str], title: str, tags: Sequence[str], metadata: Mapping[str, Any]
) -> Iterator[str]:
    """What keeps the words of a record from being stored."""
    yield from text_faults("the title", title, MAX_METADATA_BYTES)
    for tag in tags:
        yield from text_faults("a tag", tag, MAX_TERM_BYTES)
    for source in sources:
        yield from text_faults("a source", source, MAX_TERM_BYTES)
    yield from _metadata_faults(metadata)


def text_faults(name: str, text: str, most: int) -> Iterator[str]:
    """What keeps a text from being stored: no Unicode, or more than `most` bytes of UTF-8."""
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        yield f"{name} is not valid Unicode (a lone surrogate)"
        return
    if size > most:
        yield f"{name} has {size} bytes; at most {most} are kept"


def _signature_faults(record: ImageRecord, dims: int) -> Iterator[str]:
    for name, bits in (("bits", record.bits), ("bits_trimmed", record.bits_trimmed)):
        if bits is not None and (bits.dtype != np.uint8 or bits.shape != (BITS // 8,)):
            yield f"{name} is not {BITS // 8} unsigned bytes"
    number, *shape = record.panels.shape
    if record.panels.dtype != np.uint8 or shape != [BITS // 8] or number > MOST_PANELS:
        yield f"panels are not up to {MOST_PANELS} rows of {BITS // 8} unsigned bytes"
    if record.vector is None:
        return
    if record.vector.shape != (dims,):
        yield f"the vector has {record.vector.size} dimensions, this index keeps {dims or 'no vectors'}"
    elif not abs(float(np.linalg.norm(record.vector)) - 1) < 0.01:  # NaN fails this too
        yield "the vector is not of length 1"


def _metadata_faults(metadata: Mapping[str, Any]) -> Iterator[str]:
    if not isinstance(metadata, Mapping):
        yield f"the metadata is {type(metadata).__name__}, not a JSON object"
        return
    fault = next(json_faults(dict(metadata), MAX_METADATA_DEPTH), "")
    if fault:
        yield f"the metadata {fault}"
        return
    try:
        size = len(orjson.dumps(dict(metadata)))
    except TypeError as error:  # a lone surrogate, or a number beyond 64 bits
        yield f"the metadata is no JSON: {error}"
        return
    if size > MAX_METADATA_BYTES:
        yield f"the metadata has {size} bytes of JSON; at most {MAX_METADATA_BYTES} are kept"


def json_faults(value: object, deepest: int, depth: int = 0) -> Iterator[str]:
    """What keeps a value from coming back from JSON as it went in."""
    if depth > deepest:
        yield f"is nested deeper than {deepest} levels"
    elif isinstance(value, dict):
        if not all(isinstance(key, str) for key in value):
            yield "has a key that is no text"
        for item in value.values():
            yield from json_faults(item, deepest, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from json_faults(item, deepest, depth + 1)
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"holds {value}, which JSON cannot write"
    elif value is not None and not isinstance(value, (str, int, float)):
        yield f"holds a {type(value).__name__}, which JSON cannot write"
