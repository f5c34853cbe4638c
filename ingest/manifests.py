"""Lists of images: text, CSV, JSON Lines and Parquet, read row by row.

A row has `source` or `url`, and may have `id`, `collection`, `title` and `tags` (a list, or text parted by
`;` or `|`). `page` is the address of a web page that shows the image, with `page_title`, `page_text` (caption
or alternative text) and `page_seen_at`; `pages` may list several, as addresses or objects of `url`, `title`,
`text` and `seen_at`. `metadata` may hold an object, and every other column goes there too. In `.txt` a line
is a source and `#` begins a comment. Sources that are relative paths count from the folder of the list. A row
that cannot be understood becomes a failed outcome with its line; the others go on.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, BinaryIO

import orjson

from facsimile.imaging.record import DEFAULT_COLLECTION, WebPage
from facsimile.ingest.errors import ManifestError
from facsimile.ingest.failures import VERDICT
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.open_source import is_web

SUFFIXES = (".txt", ".csv", ".jsonl", ".ndjson", ".parquet")

#: bytes of the longest line; a longer one is no row of a list
MAX_LINE = 1 << 20

#: rows of Parquet in memory at a time
PARQUET_ROWS = 1024

#: a row, or what is wrong with it, and its number in the file
Row = tuple[int, Mapping[str, Any] | ManifestError]


def is_manifest(name: str) -> bool:
    """Whether a file of this name is read as a list of images."""
    return name.lower().endswith(SUFFIXES)


def read(
    stream: BinaryIO, name: str, *, folder: str, collection: str = DEFAULT_COLLECTION
) -> Iterator[Item | Outcome]:
    """The items of a list; `name` chooses the format, `folder` (path or URL) is where relative sources are.

    Raises ManifestError where the list as a whole cannot be read.
    """
    suffix = os.path.splitext(name)[1].lower()  # noqa: PTH122 - `name` may be a URL
    reader = {".txt": _text, ".csv": _csv, ".parquet": _parquet}.get(suffix, _json)
    unit = "row" if suffix == ".parquet" else "line"
    for number, row in reader(stream):
        try:
            if isinstance(row, ManifestError):
                raise row
            yield _item(row, folder, collection)
        except ManifestError as error:
            reason = ManifestError(f"{name}, {unit} {number}: {error}")
            yield Outcome.failed(Item(f"{name}:{number}", collection=collection), reason)


def _lines(stream: BinaryIO) -> Iterator[tuple[int, str | ManifestError]]:
    number = 0
    while line := stream.readline(MAX_LINE):
        number += 1
        if len(line) == MAX_LINE and not line.endswith(b"\n"):
            while (rest := stream.readline(MAX_LINE)) and not rest.endswith(b"\n"):
                pass
            yield number, ManifestError(f"longer than {MAX_LINE} bytes")
            continue
        try:
            yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError:
            yield number, ManifestError("not UTF-8 text")


def _text(stream: BinaryIO) -> Iterator[Row]:
    for number, line in _lines(stream):
        if isinstance(line, ManifestError):
            yield number, line
        elif (source := line.strip()) and not source.startswith("#"):
            yield number, {"source": source}


def _json(stream: BinaryIO) -> Iterator[Row]:
    for number, line in _lines(stream):
        if isinstance(line, ManifestError):
            yield number, line
        elif line.strip():
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield number, ManifestError(f"not JSON ({error})")
                continue
            yield number, row if isinstance(row, dict) else ManifestError("not a JSON object")


def _csv(stream: BinaryIO) -> Iterator[Row]:
    head = stream.readline(MAX_LINE).decode("utf-8-sig", "replace")
    delimiter = max(",;\t", key=head.count)
    try:
        columns = [column.strip() for column in next(csv.reader([head], delimiter=delimiter), [])]
    except csv.Error as error:
        raise ManifestError(f"the first line is not CSV ({error})") from error
    if not {"source", "url"} & set(columns):
        raise ManifestError("the first line names no column `source` or `url`")
    # a cell may hold line breaks, so the reader must see bad bytes too: they pass as surrogates
    reader = csv.reader((line.decode("utf-8", "surrogateescape") for line in stream), delimiter=delimiter)
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield reader.line_num + 1, ManifestError(f"not CSV ({error})")
            continue
        if not any(cells):
            continue
        row: Mapping[str, Any] | ManifestError = {
            column: cell for column, cell in zip(columns, cells, strict=False) if cell
        }
        if len(cells) > len(columns):
            row = ManifestError(f"{len(cells)} cells under {len(columns)} columns")
        elif re.search("[\ud800-\udfff]", "".join(cells)):
            row = ManifestError("not UTF-8 text")
        yield reader.line_num + 1, row


def _parquet(stream: BinaryIO) -> Iterator[Row]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError as error:
        raise ManifestError("reading Parquet needs pyarrow: pip install 'facsimile[parquet]'") from error
    try:
        file = pyarrow.parquet.ParquetFile(stream)
        # bytes are no metadata: a column of pictures would be carried into every record
        columns = [field.name for field in file.schema_arrow if not pyarrow.types.is_binary(field.type)]
        number = 0
        for batch in file.iter_batches(PARQUET_ROWS, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, {name: value for name, value in row.items() if value is not None}
    except (pyarrow.ArrowException, OSError) as error:
        raise ManifestError(f"not a readable Parquet file ({error})") from error


def _item(row: Mapping[str, Any], folder: str, collection: str) -> Item:
    fields = dict(row)
    if all(name in fields for name in VERDICT):
        for name in VERDICT:
            del fields[name]
    url = fields.pop("url", None)
    source = fields.pop("source", None) or url
    if not source or not isinstance(source, str):
        raise ManifestError("no source")
    if "\0" in source:
        raise ManifestError("the source holds a NUL character")
    id = fields.pop("id", None)
    title = fields.pop("title", None)
    tags = _tags(fields.pop("tags", None))
    collection = str(fields.pop("collection", None) or collection)
    pages = _pages(fields)
    inner = fields.pop("metadata", None)
    if isinstance(inner, Mapping):
        fields.update(inner)
    elif inner:
        fields["metadata"] = inner
    try:
        # dates and the like become text, as in the other formats
        metadata = orjson.loads(orjson.dumps(fields, default=str, option=orjson.OPT_NON_STR_KEYS))
    except TypeError as error:  # nested too deep, a number beyond 64 bits, text that is not valid Unicode
        raise ManifestError(f"the metadata is not JSON ({error})") from error
    return Item(
        _located(source, folder),
        id=None if id in (None, "") else str(id),
        collection=collection,
        title="" if title is None else str(title),
        tags=tags,
        metadata=metadata,
        pages=pages,
    )


def _pages(fields: dict[str, Any]) -> tuple[WebPage, ...]:
    """Take the pages out of the fields of a row; a `page` that is no web address is metadata as any other."""
    listed = fields.pop("pages", None) or []
    if isinstance(listed, str):
        listed = listed.split()
    if is_web(str(fields.get("page", ""))):
        named = {name: fields.pop(f"page_{name}", None) for name in ("title", "text", "seen_at")}
        listed = [{"url": fields.pop("page"), **named}, *listed]
    if not isinstance(listed, list):
        raise ManifestError("pages is no list")
    return tuple(map(_page, listed))


def _page(value: object) -> WebPage:
    if isinstance(value, Mapping):
        words = {name: value.get(name) for name in ("url", "title", "text")}
        seen = value.get("seen_at")
    else:
        words, seen = {"url": value}, None
    if not is_web(str(words["url"] or "")):
        raise ManifestError(f"a page is a web address, or an object with its `url`, not {value!r:.80}")
    try:
        return WebPage.from_json(
            {**{name: str(word or "") for name, word in words.items()}, "seen_at": _time(seen)}
        )
    except ValueError as error:
        raise ManifestError(f"the time at which a page was seen is not in ISO 8601 ({error})") from None


def _time(value: object) -> str:
    """A time as text; columns of Parquet may hold times."""
    return value.isoformat() if isinstance(value, datetime) else str(value or "")


def _tags(value: object) -> tuple[str, ...]:
    parts = value if isinstance(value, list) else re.split("[;|]", "" if value is None else str(value))
    return tuple(tag for part in parts if (tag := str(part).strip()))


def _located(source: str, folder: str) -> str:
    if "://" in source:
        return source
    if "://" in folder:
        return f"{folder.rstrip('/')}/{source}"
    return os.path.abspath(os.path.join(folder, os.path.expanduser(source)))  # noqa: PTH100, PTH111, PTH118
