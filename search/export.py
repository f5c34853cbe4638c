"""Export of an index to a file: its records and its state, in JSON Lines that any other index can import.

The first line is a header with the version of the format and the signatures. Each further line is one record,
or `{"entry": {…}}` with one entry of the state. A name that ends in `.gz` is compressed.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
import orjson
from numpy.typing import NDArray

from facsimile.imaging.describe import describe
from facsimile.imaging.errors import ImageError
from facsimile.imaging.record import BITS, PIXELS_VERSION, ImageRecord, encoded
from facsimile.search.errors import IndexMismatch, InvalidRequest
from facsimile.search.index.base import Signatures
from facsimile.search.index.state.base import Entry, EntryFilter, State

FORMAT = "facsimile-records"

#: version 1 had records only
VERSION = 2
READABLE = (1, 2)

#: kinds of entries that only running processes use: leases of sweepers, responses that the API replays to a
#: repeated request
TRANSIENT = frozenset({"upkeep", "idempotency"})


#: largest number of records and entries of a batch, and the size of their lines in bytes
_BATCH, _BATCH_BYTES = 500, 16_000_000


def exported_entries(state: State) -> Iterator[Entry]:
    """The entries of a state that an export contains."""
    state.refresh()
    for kind in state.kinds():
        if kind not in TRANSIENT:
            yield from state.all(EntryFilter(kind=kind))


def save(
    path: Path, signatures: Signatures, contents: Iterable[ImageRecord | Entry]
) -> Iterator[ImageRecord | Entry]:
    """Write records and entries; each is yielded once it is written.

    The file gets its name when all is written, so that an interrupted run leaves nothing that looks complete.
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
                row = {"entry": each.as_json()} if isinstance(each, Entry) else encoded(each)
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
                yield each
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def load(path: Path, signatures: Signatures) -> Iterator[list[ImageRecord | Entry]]:
    """Read the records and entries of a file in batches, bounded in number and bytes.

    Raises InvalidRequest for a file that is not an export or is damaged, IndexMismatch for other signatures;
    what precedes the damage is yielded first.
    """
    some: list[ImageRecord | Entry] = []
    try:
        with _opened(path, "rb", path.name) as file:
            header = _check(path, file.readline(), signatures)
            size = 0
            for number, line in enumerate(file, 2):
                some.append(_content(path, number, line, header))
                size += len(line)
                if len(some) == _BATCH or size > _BATCH_BYTES:
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
        return Entry.from_json(row["entry"]) if "entry" in row else _record(row, header)
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


def _record(row: dict[str, Any], header: dict[str, Any]) -> ImageRecord:
    """The record of a line. Raises ValueError, KeyError, TypeError for a damaged one."""
    if header.get("pixels") != PIXELS_VERSION:
        # digests of an earlier version covered less: only the same bytes are identical
        row = {**row, "pixels": row["sha256"]}
    record = ImageRecord.from_json(row)
    return record if "panels" in row else record.replaced(panels=_panels(record.thumbnail))


def _panels(thumbnail: bytes | None) -> NDArray[np.uint8]:
    """The panels of a record from a file that was written before they were stored."""
    try:
        return describe(thumbnail or b"").panels
    except ImageError:
        return np.empty((0, BITS // 8), np.uint8)
