"""Records as rows of the embedded index."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from facsimile.imaging.record import BITS, ImageRecord, Key, WebPage
from facsimile.search.index.embedded.arrays import Findable
from facsimile.search.query import text_of

#: the columns of a record but `number` and `slot`, in the order of `row_of` and `record_of`
COLUMNS = (
    "collection, id, sha256, pixels, width, height, format, size, quality, bits, bits_trimmed, "
    "panels, sources, title, tags, metadata, added_at, gone, pages"
)


def row_of(record: ImageRecord) -> tuple[Any, ...]:
    """The values of `COLUMNS`."""
    return (
        record.collection,
        record.id,
        record.sha256,
        record.pixels,
        record.width,
        record.height,
        record.format,
        record.size,
        record.quality,
        *hash_blobs(record),
        _json(record.sources),
        record.title,
        _json(record.tags),
        _json(dict(record.metadata)),
        record.added_at.astimezone(UTC).isoformat(),
        _json(record.gone),
        _json([page.as_json() for page in record.pages]),
    )


def record_of(
    row: Sequence[Any], *, vector: NDArray[np.float32] | None = None, thumbnail: bytes | None = None
) -> ImageRecord:
    """The record of the values of `COLUMNS`, and of what lies apart from them."""
    return ImageRecord(
        collection=row[0],
        id=row[1],
        sha256=row[2],
        pixels=row[3],
        width=row[4],
        height=row[5],
        format=row[6],
        size=row[7],
        quality=row[8],
        bits=bits_of(row[9]),
        bits_trimmed=None if row[10] is None else bits_of(row[10]),
        panels=bits_of(row[11]).reshape(-1, BITS // 8),
        vector=vector,
        thumbnail=thumbnail,
        sources=tuple(orjson.loads(row[12])),
        title=row[13],
        tags=tuple(orjson.loads(row[14])),
        metadata=orjson.loads(row[15]),
        added_at=datetime.fromisoformat(row[16]),
        gone=tuple(orjson.loads(row[17])),
        pages=pages_of(row[18]),
    )


def pages_of(text: str) -> tuple[WebPage, ...]:
    """The pages of a record as they are stored."""
    return tuple(map(WebPage.from_json, orjson.loads(text)))


def records_of(
    connection: sqlite3.Connection, rows: Sequence[Sequence[Any]], *, full: bool
) -> list[ImageRecord]:
    """The records of rows of `number` and `COLUMNS`; `full` looks up thumbnails and vectors."""
    if not full:
        return [record_of(row[1:]) for row in rows]
    sql = (
        "SELECT (SELECT thumbnail FROM thumbnails WHERE number = :number), "
        "(SELECT vector FROM vectors WHERE number = :number)"
    )
    records = []
    for number, *row in rows:
        thumbnail, vector = connection.execute(sql, {"number": number}).fetchone()
        records.append(record_of(row, thumbnail=thumbnail, vector=vector_of(vector)))
    return records


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def terms_of(
    sources: Sequence[str],
    gone: Sequence[str],
    tags: Sequence[str],
    metadata: Mapping[str, Any],
    pages: Sequence[WebPage],
) -> set[tuple[str, str]]:
    """What filters may look up: pairs of path and value."""
    terms = {
        (path, value)
        for path, values in (
            *(("source", sources), ("gone", gone), ("tags", tags)),
            *(("page", [page.url for page in pages]), ("site", [page.host for page in pages])),
        )
        for value in values
    }
    return terms | set(_leaves("metadata", dict(metadata)))


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    """Each leaf with its dotted path: of a list each element, of null nothing."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(f"{path}.{key}", item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(path, item)
    elif value is not None:
        yield path, text_of(value)


def insert(connection: sqlite3.Connection, slot: int, record: ImageRecord) -> None:
    """Add a record under a new number, within the caller's transaction."""
    number = connection.execute(
        f"INSERT INTO records (slot, {COLUMNS}) VALUES (?{', ?' * 19})",
        (slot, *row_of(record)),
    ).lastrowid
    if record.vector is not None:
        connection.execute("INSERT INTO vectors VALUES (?, ?)", (number, vector_blob(record.vector)))
    if record.thumbnail is not None:
        connection.execute("INSERT INTO thumbnails VALUES (?, ?)", (number, record.thumbnail))
    if record.title or record.tags:
        connection.execute(
            "INSERT INTO words (rowid, title, tags) VALUES (?, ?, ?)",
            (number, record.title, "\n".join(record.tags)),
        )
    connection.executemany(
        "INSERT INTO terms VALUES (?, ?, ?)",
        [
            (*term, number)
            for term in terms_of(record.sources, record.gone, record.tags, record.metadata, record.pages)
        ],
    )


def remove(connection: sqlite3.Connection, key: Key) -> bool:
    """Take a record away, within the caller's transaction; False where there is none."""
    row = connection.execute(
        "SELECT number, sources, gone, tags, metadata, pages FROM records WHERE collection = ? AND id = ?",
        key,
    ).fetchone()
    if row is None:
        return False
    number, *texts, pages = row
    sources, gone, tags, metadata = map(orjson.loads, texts)
    stored = terms_of(sources, gone, tags, metadata, pages_of(pages))
    connection.executemany(
        "DELETE FROM terms WHERE path = ? AND value = ? AND number = ?",
        [(*term, number) for term in stored],
    )
    connection.execute("DELETE FROM records WHERE number = ?", (number,))
    return True


def hash_blobs(record: ImageRecord) -> tuple[bytes, bytes | None, bytes]:
    """Whole and trimmed hash and those of the panels as they are stored."""
    trimmed = record.bits_trimmed
    return record.bits.tobytes(), None if trimmed is None else trimmed.tobytes(), record.panels.tobytes()


def findable(quality: int, bits: bytes, bits_trimmed: bytes | None, panels: bytes) -> Findable:
    """What a record is found by."""
    if quality == 0:
        return Findable()
    own = [bits] if bits_trimmed is None else [bits, bits_trimmed]
    size = BITS // 8
    return Findable(own, [panels[start : start + size] for start in range(0, len(panels), size)])


def bits_of(blob: bytes) -> NDArray[np.uint8]:
    """A stored hash, or several one after the other."""
    return np.frombuffer(blob, np.uint8)


def vector_blob(vector: NDArray[np.float32] | None) -> bytes | None:
    """A vector as it is stored: half precision moves a cosine by some 1e-4, and halves the bytes."""
    return None if vector is None else vector.astype("<f2").tobytes()


def vector_of(blob: bytes | None) -> NDArray[np.float32] | None:
    """A stored vector."""
    return None if blob is None else np.frombuffer(blob, "<f2").astype(np.float32)
