"""Records as Elasticsearch keeps them, and back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.bands import terms
from facsimile.imaging.record import BITS, ImageRecord, Key, WebPage
from facsimile.search.index.base import Known
from facsimile.search.index.validation import check_texts

#: longest `_id` that Elasticsearch takes, in bytes
MAX_DOCUMENT_ID = 512

#: what begins the `_id` of a record whose own id is too long
_HASHED = "sha256-"

#: fields that tell whether a write would change anything
KNOWN_FIELDS = (
    *("collection", "id", "sha256", "sources", "gone"),
    *("title", "tags", "metadata", "pages", "added_at"),
)


def document_id(key: Key) -> str:
    """The `_id` of a record. No collection has a colon in its name, so no two keys share one."""
    check_texts(key)
    plain = f"{key.collection}:{key.id}"
    if len(plain.encode()) <= MAX_DOCUMENT_ID and not key.id.startswith(_HASHED):
        return plain
    return f"{key.collection}:{_HASHED}{hashlib.sha256(key.id.encode()).hexdigest()}"


def document(record: ImageRecord) -> dict[str, Any]:
    """The document of a record. A blank picture gets no bands, so that no question by hash meets it."""
    hashes = [record.bits] if record.bits_trimmed is None else [record.bits, record.bits_trimmed]
    fields: dict[str, Any] = {
        "collection": record.collection,
        "id": record.id,
        "sha256": record.sha256,
        "pixels": record.pixels,
        "sources": list(record.sources),
        "gone": list(record.gone),
        "title": record.title,
        "tags": list(record.tags),
        "metadata": dict(record.metadata),
        "pages": [page.as_json() for page in record.pages],
        "page_urls": [page.url for page in record.pages],
        "page_hosts": sorted({page.host for page in record.pages}),
        "format": record.format,
        "width": record.width,
        "height": record.height,
        "size": record.size,
        "quality": record.quality,
        "added_at": record.added_at.isoformat(),
        "hashes": _encoded(*hashes),
        "panel_hashes": _encoded(*record.panels),
        "bits": record.bits.tobytes().hex(),
        "bands": _bands(record, *hashes),
        "panels": [{"bits": bits.tobytes().hex(), "bands": _bands(record, bits)} for bits in record.panels],
    }
    if record.bits_trimmed is not None:
        fields["bits_trimmed"] = record.bits_trimmed.tobytes().hex()
    if record.vector is not None:
        fields["vector"] = packed(record.vector)
    if record.thumbnail is not None:
        fields["thumbnail"] = base64.b64encode(record.thumbnail).decode()
    return fields


def _encoded(*hashes: NDArray[np.uint8]) -> str | None:
    return base64.b64encode(b"".join(bits.tobytes() for bits in hashes)).decode() or None


def _bands(record: ImageRecord, *hashes: NDArray[np.uint8]) -> list[str]:
    return sorted({term for bits in hashes for term in terms(bits)}) if record.quality else []


def packed(vector: NDArray[np.float32]) -> str:
    """A vector as Elasticsearch reads it fastest: base64 of big-endian float32."""
    return base64.b64encode(vector.astype(">f4").tobytes()).decode()


def record_of(source: Mapping[str, Any], fields: Mapping[str, Any] | None = None) -> ImageRecord:
    """The record of a document. `fields` are those that came beside its source: vector and thumbnail.

    Hashes are read from `hashes`; documents of an earlier layout have them in the vectors of their source.
    """
    beside = {name: value for name, (value, *_) in (fields or {}).items()}
    vector, thumbnail = (beside.get(name) or source.get(name) for name in ("vector", "thumbnail"))
    bits, trimmed, panels = _stored_hashes(source) if "bits" not in source else _indexed_hashes(source)
    return ImageRecord(
        id=source["id"],
        collection=source["collection"],
        sha256=source["sha256"],
        pixels=source["pixels"],
        width=source["width"],
        height=source["height"],
        format=source["format"],
        size=source["size"],
        quality=source["quality"],
        bits=bits,
        bits_trimmed=trimmed,
        panels=panels,
        vector=None if vector is None else vector_of(vector),
        thumbnail=None if thumbnail is None else base64.b64decode(thumbnail),
        sources=tuple(source["sources"]),
        gone=tuple(source.get("gone", ())),
        title=source["title"],
        tags=tuple(source["tags"]),
        metadata=source["metadata"],
        pages=tuple(map(WebPage.from_json, source.get("pages", ()))),  # layouts before 5 have none
        added_at=datetime.fromisoformat(source["added_at"]),
    )


_Hashes = tuple[NDArray[np.uint8], NDArray[np.uint8] | None, NDArray[np.uint8]]


def _stored_hashes(source: Mapping[str, Any]) -> _Hashes:
    """Hash, hash without margins, and hashes of panels, as `document` encodes them."""
    bits, *trimmed = _decoded(source["hashes"])
    return bits, trimmed[0] if trimmed else None, _decoded(source.get("panel_hashes") or "")


def _decoded(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, BITS // 8)


def _indexed_hashes(source: Mapping[str, Any]) -> _Hashes:
    """The same from the vectors that are searched."""
    trimmed = source.get("bits_trimmed")
    bits = bits_of(source["bits"])
    return bits, None if trimmed is None else bits_of(trimmed), _panels_of(source.get("panels") or ())


def bits_of(value: str | Sequence[float]) -> NDArray[np.uint8]:
    """A hash in any form that Elasticsearch takes or gives; raises ValueError for anything else.

    What was indexed comes back as signed bytes, integers or floats. A document that is read before it was
    refreshed may come as it was written: in hexadecimal, or in base64.
    """
    if not isinstance(value, str):
        bits = np.array(value, np.float64).astype(np.int16).astype(np.uint8)
    elif len(value) == BITS // 4:
        bits = np.frombuffer(bytes.fromhex(value), np.uint8)
    else:
        bits = np.frombuffer(base64.b64decode(value, validate=True), np.uint8)
    if bits.shape != (BITS // 8,):
        raise ValueError(f"{bits.shape} is not the shape of a hash")
    return bits


def _panels_of(panels: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> NDArray[np.uint8]:
    """The hashes of panels; one alone may come without its list."""
    each = [panels] if isinstance(panels, Mapping) else panels
    return np.array([bits_of(panel["bits"]) for panel in each], np.uint8).reshape(-1, BITS // 8)


def vector_of(value: str | Sequence[float]) -> NDArray[np.float32]:
    """A vector in any form that Elasticsearch takes or gives: numbers, or base64 as `packed` writes it."""
    if isinstance(value, str):
        return np.frombuffer(base64.b64decode(value, validate=True), ">f4").astype(np.float32)
    return np.array(value, np.float32)


def known_of(found: Mapping[str, Any]) -> Known:
    """What a document fetched with `KNOWN_FIELDS` holds; its version is the sequence number and the term."""
    source = found["_source"]
    return Known(
        sha256=source["sha256"],
        sources=tuple(source["sources"]),
        gone=tuple(source.get("gone", ())),
        title=source["title"],
        tags=tuple(source["tags"]),
        metadata=source["metadata"],
        pages=tuple(map(WebPage.from_json, source.get("pages", ()))),  # layouts before 5 have none
        added_at=datetime.fromisoformat(source["added_at"]),
        version=(found["_seq_no"], found["_primary_term"]),
    )
