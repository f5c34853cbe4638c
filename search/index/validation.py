"""Which records no index takes, and why: one answer for both indices."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import orjson

from facsimile.imaging.record import BITS, MAX_ID_BYTES, MOST_PANELS, ImageRecord, WebPage
from facsimile.search.errors import InvalidRequest

#: a collection is also a part of URLs, file names and log lines
COLLECTION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")

#: longest tag or source in bytes of UTF-8: they are kept as terms, and Lucene's end at 32 KiB
MAX_TERM_BYTES = 8192

#: bytes of all tags of a record
MAX_TAGS_BYTES = 64 * 1024

#: largest metadata in bytes of JSON, and the deepest nesting
MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 20

#: longest path of metadata in bytes of UTF-8, the keys joined by dots: with a value it makes one term
MAX_PATH_BYTES = 8192

#: integers that JSON keeps in both indices
_INTEGERS = range(-(2**63), 2**64)

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
    yield from word_faults((*record.sources, *record.gone), record.title, record.tags, record.metadata)
    yield from page_faults(record.pages)


def name_faults(id: str, collection: str) -> Iterator[str]:
    """What keeps a record from being called so."""
    yield from id_faults(id)
    yield from _collection_faults(collection)


def id_faults(id: str) -> Iterator[str]:
    """What keeps a text from being an id."""
    yield from text_faults("the id", id, MAX_ID_BYTES)
    if not id:
        yield "the id is empty"
    if "\0" in id:
        yield "the id holds a NUL character"


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
        yield from tag_faults(tag)
    if (size := sum(len(tag.encode()) for tag in tags)) > MAX_TAGS_BYTES:
        yield f"the tags have {size} bytes; at most {MAX_TAGS_BYTES} are kept"
    for source in sources:
        yield from source_faults(source)
    yield from metadata_faults(metadata)


def tag_faults(tag: str) -> Iterator[str]:
    """What keeps a tag from being stored."""
    yield from text_faults("a tag", tag, MAX_TERM_BYTES)


def source_faults(source: str) -> Iterator[str]:
    """What keeps a place from being stored."""
    yield from text_faults("a source", source, MAX_TERM_BYTES)


def page_faults(pages: Iterable[WebPage]) -> Iterator[str]:
    """What keeps pages from being stored."""
    for page in pages:
        if not page.url:
            yield "a page has no address"
        yield from text_faults("the address of a page", page.url, MAX_TERM_BYTES)
        yield from text_faults("the title of a page", page.title, MAX_TERM_BYTES)
        yield from text_faults("the text beside an image", page.text, MAX_TERM_BYTES)


def text_faults(name: str, text: str, most: int) -> Iterator[str]:
    """What keeps a text from being stored: no Unicode, or more than `most` bytes of UTF-8."""
    if not _is_unicode(text):
        yield f"{name} is not valid Unicode (a lone surrogate)"
    elif (size := len(text.encode())) > most:
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


def check_texts(texts: Iterable[str]) -> None:
    """Raise InvalidRequest where a text that is looked for can be in no index."""
    for text in texts:
        if not _is_unicode(text):
            raise InvalidRequest(f"{text[:80]!r} is not valid Unicode (a lone surrogate)")


def metadata_faults(metadata: Mapping[str, Any]) -> Iterator[str]:
    """What keeps metadata from being stored."""
    if not isinstance(metadata, Mapping):
        yield f"the metadata is {type(metadata).__name__}, not a JSON object"
        return
    fault = next(json_faults(dict(metadata), MAX_METADATA_DEPTH), "")
    if fault:
        yield f"the metadata {fault}"
        return
    size = len(orjson.dumps(dict(metadata)))
    if size > MAX_METADATA_BYTES:
        yield f"the metadata has {size} bytes of JSON; at most {MAX_METADATA_BYTES} are kept"
    yield from _path_faults(metadata)


def _path_faults(value: object, above: int = -1) -> Iterator[str]:
    """What keeps values from being looked up by their paths; `above` is the size of the path so far."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            size = above + 1 + len(key.encode())
            if "\0" in key:
                yield f"the metadata has a key with a NUL character: {key[:80]!r}"
            if size > MAX_PATH_BYTES:
                yield f"the metadata has a path of {size} bytes; at most {MAX_PATH_BYTES} are kept"
            yield from _path_faults(item, size)
    elif isinstance(value, list):
        for item in value:
            yield from _path_faults(item, above)


def json_faults(value: object, deepest: int, depth: int = 0) -> Iterator[str]:
    """What keeps a value from coming back from JSON as it went in."""
    if depth == deepest and isinstance(value, dict | list):
        yield f"is nested deeper than {deepest} levels"
    elif isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield "has a key that is no text"
            yield from _leaf_faults(key)
            yield from json_faults(item, deepest, depth + 1)
    elif isinstance(value, list):
        for item in value:
            yield from json_faults(item, deepest, depth + 1)
    else:
        yield from _leaf_faults(value)


def _leaf_faults(value: object) -> Iterator[str]:
    if isinstance(value, str):
        if not _is_unicode(value):
            yield "is no JSON: a text in it is not valid Unicode (a lone surrogate)"
    elif isinstance(value, int):
        if value not in _INTEGERS:
            yield "is no JSON that is kept: it holds an integer beyond 64 bits"
    elif value is not None and type(value) is not float:  # orjson takes no other kind of float
        yield f"holds a {type(value).__name__}, which JSON cannot write"
    elif value is not None and not math.isfinite(value):
        yield f"holds {value}, which JSON cannot write"


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
