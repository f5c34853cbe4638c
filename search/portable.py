"""Records as a file: everything that an index keeps, in JSON Lines that any other index takes.

The first line is a header with the signatures; each further line is one record. A name that ends in `.gz`
is compressed.
"""

from __future__ import annotations

import base64
import gzip
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from imaging.describe import describe
from imaging.errors import ImageError
from imaging.record import BITS, PIXELS_VERSION, ImageRecord
from search.errors import IndexMismatch, InvalidRequest
from search.index.base import Signatures

FORMAT = "facsimile-records"
VERSION = 1


def save(path: Path, signatures: Signatures, records: Iterator[ImageRecord]) -> Iterator[ImageRecord]:
    """Write the records; each is handed on once it is written.

    The file takes its name when all is written, so that a run cut short leaves nothing that looks whole.
    Raises OSError where it cannot be written.
    """
    part = path.with_name(path.name + ".part")
    header = {
        "format": FORMAT,
        "version": VERSION,
        "hash": signatures.hash,
        "model": signatures.model,
        "dims": signatures.dims,
        "pixels": PIXELS_VERSION,
    }
    try:
        with _opened(part, "wb", path.name) as file:
            file.write(orjson.dumps(header, option=orjson.OPT_APPEND_NEWLINE))
            for record in records:
                file.write(orjson.dumps(_row(record), option=orjson.OPT_APPEND_NEWLINE))
                yield record
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, signatures: Signatures) -> Iterator[ImageRecord]:
    """Read the records of a file.

    Raises InvalidRequest for a file that is none of ours or is damaged, IndexMismatch for other signatures.
    """
    try:
        with _opened(path, "rb", path.name) as file:
            header = _check(path, file.readline(), signatures)
            for number, line in enumerate(file, 2):
                try:
                    yield _record(orjson.loads(line), header)
                except (ValueError, KeyError, TypeError) as error:
                    raise InvalidRequest(f"{path}: line {number} is damaged ({error})") from error
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise InvalidRequest(f"{path} cannot be read: {error}") from error


def _opened(path: Path, mode: str, name: str) -> IO[bytes]:
    if name.endswith(".gz"):
        return cast(IO[bytes], gzip.open(path, mode))
    return cast(IO[bytes], path.open(mode))


def _check(path: Path, line: bytes, signatures: Signatures) -> dict[str, Any]:
    """The header of the file."""
    try:
        header = orjson.loads(line)
        known = header["format"] == FORMAT
    except (ValueError, KeyError, TypeError):
        known = False
    if not known:
        raise InvalidRequest(f"{path} is not a file that `facsimile export` wrote")
    if header["version"] != VERSION:
        raise InvalidRequest(f"{path} has version {header['version']}; this program reads {VERSION}")
    found = Signatures(header["hash"], header["model"], header["dims"])
    if found != signatures:
        raise IndexMismatch(
            f"{path} holds records with {found}, this index keeps {signatures}: ingest the images again"
        )
    return cast(dict[str, Any], header)


def _row(record: ImageRecord) -> dict[str, Any]:
    return {
        "id": record.id,
        "collection": record.collection,
        "sha256": record.sha256,
        "pixels": record.pixels,
        "width": record.width,
        "height": record.height,
        "format": record.format,
        "size": record.size,
        "quality": record.quality,
        "bits": record.bits.tobytes().hex(),
        "bits_trimmed": None if record.bits_trimmed is None else record.bits_trimmed.tobytes().hex(),
        "panels": [bits.tobytes().hex() for bits in record.panels],
        "vector": _text(None if record.vector is None else record.vector.astype("<f4").tobytes()),
        "thumbnail": _text(record.thumbnail),
        "sources": list(record.sources),
        "gone": list(record.gone),
        "title": record.title,
        "tags": list(record.tags),
        "metadata": dict(record.metadata),
        "added_at": record.added_at.isoformat(),
    }


def _record(row: dict[str, Any], header: dict[str, Any]) -> ImageRecord:
    vector, thumbnail = _bytes(row["vector"]), _bytes(row["thumbnail"])
    return ImageRecord(
        id=row["id"],
        collection=row["collection"],
        sha256=row["sha256"],
        # digests of an earlier version covered less: none but the same bytes are identical
        pixels=row["pixels"] if header.get("pixels") == PIXELS_VERSION else row["sha256"],
        width=row["width"],
        height=row["height"],
        format=row["format"],
        size=row["size"],
        quality=row["quality"],
        bits=_bits(row["bits"]),
        bits_trimmed=None if row["bits_trimmed"] is None else _bits(row["bits_trimmed"]),
        panels=_bits("".join(row["panels"])).reshape(-1, BITS // 8) if "panels" in row else _seen(thumbnail),
        vector=None if vector is None else np.frombuffer(vector, "<f4"),
        thumbnail=thumbnail,
        sources=tuple(row["sources"]),
        gone=tuple(row.get("gone", ())),
        title=row["title"],
        tags=tuple(row["tags"]),
        metadata=row["metadata"],
        added_at=datetime.fromisoformat(row["added_at"]),
    )


def _seen(thumbnail: bytes | None) -> NDArray[np.uint8]:
    """The panels of a record from a file that was written before they were kept."""
    try:
        return describe(thumbnail or b"").panels
    except ImageError:
        return np.empty((0, BITS // 8), np.uint8)


def _text(data: bytes | None) -> str | None:
    return None if data is None else base64.b64encode(data).decode()


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text, validate=True)


def _bits(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(bytes.fromhex(text), np.uint8)
