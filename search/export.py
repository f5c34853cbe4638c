"""An index as a file: its records and its state, in JSON Lines that any other index takes.

The first line is a header with the version of the format and the signatures. Each further line is one record,
or `{"entry": {…}}` with one entry of the state. A name that ends in `.gz` is compressed.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from facsimile.imaging.describe import describe
from facsimile.imaging.errors import ImageError
from facsimile.imaging.record import BITS, PIXELS_VERSION, ImageRecord
from facsimile.search.errors import IndexMismatch, InvalidRequest
from facsimile.search.index.base import Signatures
from facsimile.search.index.state.base import Entry, State, Wanted

FORMAT = "facsimile-records"

#: version 1 had records only
VERSION = 2
READABLE = (1, 2)

#: kinds of entries that have a meaning to running processes alone: the turns of sweepers, the answers that
#: the API repeats to a caller who sends a request twice
PASSING = frozenset({"upkeep", "idempotency"})


#: records and entries that are read at a time, and the bytes of lines at which that ends before
_TOGETHER, _TOGETHER_BYTES = 500, 16_000_000


def lasting(state: State) -> Iterator[Entry]:
    """The entries of a state that belong into an export."""
    state.refresh()
    for kind in state.kinds():
        if kind not in PASSING:
            yield from state.all(Wanted(kind=kind))


def save(
    path: Path, signatures: Signatures, contents: Iterable[ImageRecord | Entry]
) -> Iterator[ImageRecord | Entry]:
    """Write records and entries; each is handed on once it is written.

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
            for each in contents:
                row = {"entry": each.as_json()} if isinstance(each, Entry) else _row(each)
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                yield each
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, signatures: Signatures) -> Iterator[list[ImageRecord | Entry]]:
    """Read the records and entries of a file, some at a time, bounded in number and bytes.

    Raises InvalidRequest for a file that is none of ours or is damaged, IndexMismatch for other signatures;
    what comes before the damage is handed on first.
    """
    some: list[ImageRecord | Entry] = []
    try:
        with _opened(path, "rb", path.name) as file:
            header = _check(path, file.readline(), signatures)
            size = 0
            for number, line in enumerate(file, 2):
                some.append(_content(path, number, line, header))
                size += len(line)
                if len(some) == _TOGETHER or size > _TOGETHER_BYTES:
                    yield some
                    some, size = [], 0
    except (EOFError, gzip.BadGzipFile, zlib.error, OSError) as error:
        yield some
        raise InvalidRequest(f"{path} cannot be read: {error}") from error
    except InvalidRequest:
        yield some
        raise
    yield some


def _content(path: Path, number: int, line: bytes, header: dict[str, Any]) -> ImageRecord | Entry:
    try:
        row = orjson.loads(line)
        return Entry.of(row["entry"]) if "entry" in row else _record(row, header)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidRequest(f"{path}: line {number} is damaged ({error})") from error


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
    if header.get("version") not in READABLE:
        raise InvalidRequest(
            f"{path} has version {header.get('version')} of the format, this program reads up to {VERSION}: "
            "use the version of facsimile that wrote it, or a later one"
        )
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
