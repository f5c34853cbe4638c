"""Records as Elasticsearch keeps them, and back."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imaging.bands import terms
from imaging.record import BITS, ImageRecord, Key
from search.index.base import Known

#: longest `_id` that Elasticsearch takes, in bytes
MAX_DOCUMENT_ID = 512

#: what begins the `_id` of a record whose own id is too long
_HASHED = "sha256-"

#: fields that tell whether a write would change anything
KNOWN_FIELDS = ("collection", "id", "sha256", "sources", "title", "tags", "metadata", "added_at")


def document_id(key: Key) -> str:
    """The `_id` of a record. No collection has a colon in its name, so no two keys share one."""
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
        "title": record.title,
        "tags": list(record.tags),
        "metadata": dict(record.metadata),
        "format": record.format,
        "width": record.width,
        "height": record.height,
        "size": record.size,
        "quality": record.quality,
        "added_at": record.added_at.isoformat(),
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


def _bands(record: ImageRecord, *hashes: NDArray[np.uint8]) -> list[str]:
    return sorted({term for bits in hashes for term in terms(bits)}) if record.quality else []


def packed(vector: NDArray[np.float32]) -> str:
    """A vector as Elasticsearch reads it fastest: base64 of big-endian float32."""
    return base64.b64encode(vector.astype(">f4").tobytes()).decode()


def record_of(source: Mapping[str, Any]) -> ImageRecord:
    """The record of a document that came with its bits."""
    trimmed, vector, thumbnail = (source.get(name) for name in ("bits_trimmed", "vector", "thumbnail"))
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
        bits=_bits(source["bits"]),
        bits_trimmed=None if trimmed is None else _bits(trimmed),
        panels=_bits([panel["bits"] for panel in source.get("panels", ())]).reshape(-1, BITS // 8),
        vector=None if vector is None else np.array(vector, np.float32),
        thumbnail=None if thumbnail is None else base64.b64decode(thumbnail),
        sources=tuple(source["sources"]),
        title=source["title"],
        tags=tuple(source["tags"]),
        metadata=source["metadata"],
        added_at=datetime.fromisoformat(source["added_at"]),
    )


def _bits(signed: Sequence[Any]) -> NDArray[np.uint8]:
    """Elasticsearch gives bits back as signed bytes: a hash, or several."""
    return np.array(signed, np.int8).view(np.uint8)


def known_of(found: Mapping[str, Any]) -> Known:
    """What a document fetched with `KNOWN_FIELDS` holds; its version is the sequence number and the term."""
    source = found["_source"]
    return Known(
        sha256=source["sha256"],
        sources=tuple(source["sources"]),
        title=source["title"],
        tags=tuple(source["tags"]),
        metadata=source["metadata"],
        added_at=datetime.fromisoformat(source["added_at"]),
        version=(found["_seq_no"], found["_primary_term"]),
    )
