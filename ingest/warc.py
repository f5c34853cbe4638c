"""Images of web crawls in WARC files (`.warc`, `.warc.gz`, `.warc.zst`), each with the pages that show it.

The file is read twice: first its HTML pages, whose links go to a temporary file (see
`facsimile.ingest.page_links`), then its images, one at a time. An image has the address that it was crawled
from as its source. Format: ISO 28500:2017. Read by FastWARC (Bevendorff et al., OSSYM 2021).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, BinaryIO

from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.archives import SEPARATOR
from facsimile.ingest.errors import ArchiveError, SourceNotFound, SourceTooLarge
from facsimile.ingest.html_images import MAX_PAGE_BYTES, page_images
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.open_source import is_web
from facsimile.ingest.page_links import PageLinks

if TYPE_CHECKING:
    from fastwarc.warc import WarcRecord

SUFFIXES = (".warc", ".warc.gz", ".warc.zst")

#: bytes of the headers of a record
MAX_HEADER = 1 << 20

#: places of damage behind which reading goes on
MAX_DAMAGES = 1000

#: how a record begins: compressed by gzip or zstd, or as it is
_BEGINNING = re.compile(rb"\x1f\x8b\x08|\x28\xb5\x2f\xfd|WARC/[01]\.")
_LONGEST_BEGINNING = 8
_BLOCK = 1 << 20

#: content types that say nothing
_UNKNOWN = frozenset({"", "application/octet-stream", "binary/octet-stream"})

_PAGES = frozenset({"text/html", "application/xhtml+xml"})


@dataclass(frozen=True, slots=True)
class WarcDamage:
    """Where a WARC file cannot be read on: in the record that begins at this byte, or behind it."""

    position: int
    reason: str


def is_warc(name: str) -> bool:
    """Whether a file of this name is read as a web crawl."""
    return name.lower().endswith(SUFFIXES)


def read(
    stream: BinaryIO,
    name: str,
    *,
    is_image: Callable[[str], bool],
    max_bytes: int,
    collection: str = DEFAULT_COLLECTION,
) -> Iterator[Item | Outcome]:
    """The images of a crawl with their bytes and pages, in the order of the file.

    An image is what was served as one, or as nothing in particular under a name that `is_image`. One that is
    cut short, damaged, or has over `max_bytes` is a failed outcome. Where the file itself is damaged, one
    outcome says so, and reading goes on with the next record that can be found. Raises ArchiveError where a
    library is missing.
    """
    with PageLinks() as links:
        for record in _records(stream):
            if isinstance(record, WarcDamage):
                continue  # the second reading meets it, too
            with suppress(OSError):
                _note_links(record, links)
        empty, failed_at = True, -1
        for record in _records(stream):
            empty = False
            if isinstance(record, WarcDamage):
                if record.position != failed_at:
                    broken = ArchiveError(
                        f"{name} is damaged or cut short after byte {record.position} ({record.reason})"
                    )
                    yield Outcome.failed(Item(name, collection=collection), broken)
            elif (url := _image(record, is_image)) is not None:
                found = _item(record, url, name, links, max_bytes, collection)
                if isinstance(found, Outcome):
                    failed_at = record.stream_pos
                yield found
        if empty:
            nothing = ArchiveError(f"{name} holds no answer of a server: is it a WARC file?")
            yield Outcome.failed(Item(name, collection=collection), nothing)


def read_record(stream: BinaryIO, name: str, place: str, *, max_bytes: int) -> bytes:
    """The bytes of the image in the record that begins at the byte `place` of the file.

    Raises SourceNotFound, SourceTooLarge, or ArchiveError.
    """
    if not place.isdecimal():
        raise SourceNotFound(f"{name} has no record at byte {place[:20]}")
    for record in _records(stream, int(place)):
        if isinstance(record, WarcDamage):
            raise ArchiveError(f"{name} has no readable record at byte {place} ({record.reason})")
        return _payload(record, max_bytes)
    raise SourceNotFound(f"{name} has no record at byte {place}")


def _records(stream: BinaryIO, start: int = 0) -> Iterator[WarcRecord | WarcDamage]:
    """What servers answered, and files that were kept without an answer; in the place of damage, where it is.

    A record is valid until the next one is taken.
    """
    try:
        from fastwarc.warc import ArchiveIterator, WarcRecordType
    except ImportError as error:
        raise ArchiveError("reading WARC files needs FastWARC: pip install 'facsimile[crawl]'") from error
    position: int | None = start
    for _ in range(MAX_DAMAGES):
        if position is None:
            return
        stream.seek(position)
        try:
            for record in ArchiveIterator(
                stream,
                record_types=WarcRecordType.response | WarcRecordType.resource,
                auto_decode="all",
                max_header_len=MAX_HEADER,
                fsspec_args=False,
            ):
                position = record.stream_pos
                yield record
        except OSError as error:
            yield WarcDamage(position, " ".join(str(error).split())[:200])
            position = _next_beginning(stream, position + 1)
        else:
            return


def _next_beginning(stream: BinaryIO, start: int) -> int | None:
    """Where the next record may begin, at this byte or behind it."""
    stream.seek(start)
    while block := stream.read(_BLOCK):
        if (match := _BEGINNING.search(block)) is not None:
            return start + match.start()
        # a beginning may lie across two blocks
        start += max(1, len(block) - _LONGEST_BEGINNING)
        stream.seek(start)
        if len(block) < _BLOCK:
            return None
    return None


def _note_links(record: WarcRecord, links: PageLinks) -> None:
    url = _url(record)
    if not is_web(url) or _status(record) != 200 or _content_type(record) not in _PAGES:
        return
    charset = record.http_charset if record.is_http else None
    page = page_images(record.reader.read(MAX_PAGE_BYTES), url, charset=charset)
    links.add(url, page.title, _time(record), page.images)


def _image(record: WarcRecord, is_image: Callable[[str], bool]) -> str | None:
    """The address of a record that is an image."""
    url, kind = _url(record), _content_type(record)
    if not is_web(url) or _status(record) != 200:
        return None
    if kind.startswith("image/") and not kind.startswith("image/svg"):
        return url
    plain = url.partition("?")[0].partition("#")[0]
    return (
        url if kind in ("", "application/octet-stream", "binary/octet-stream") and is_image(plain) else None
    )


def _item(
    record: WarcRecord, url: str, name: str, links: PageLinks, max_bytes: int, collection: str
) -> Item | Outcome:
    place = f"{name}{SEPARATOR}{record.stream_pos}"
    seen = _time(record)
    origin = {"file": name, "record": record.record_id or "", "seen_at": seen.isoformat() if seen else ""}
    item = Item(
        url,
        collection=collection,
        metadata={"crawl": {key: value for key, value in origin.items() if value}},
        pages=links.pages_of(url),
        location=place,
    )
    try:
        return item.with_data(_payload(record, max_bytes))
    except (ArchiveError, SourceTooLarge) as error:
        return Outcome.failed(item, error)


def _payload(record: WarcRecord, max_bytes: int) -> bytes:
    """The bytes of an image as its server meant them, without the encodings of HTTP."""
    url = _url(record)
    if cut := record.headers.get("WARC-Truncated"):
        raise ArchiveError(f"the crawl cut {url} short ({cut[:80]})")
    try:
        data = record.reader.read(max_bytes + 1)
    except OSError as error:
        raise ArchiveError(f"the record of {url} is damaged ({error})") from error
    encoded = record.is_http and record.http_headers.get("Content-Encoding")
    if not encoded and len(data) < min(record.content_length, max_bytes):
        raise ArchiveError(f"the file ends within the record of {url}")
    if len(data) > max_bytes:
        raise SourceTooLarge(f"the image {url} has more than {max_bytes} bytes")
    return data


def _url(record: WarcRecord) -> str:
    # some programs write the address in angle brackets, as a draft of the format had it
    return (record.headers.get("WARC-Target-URI") or "").strip().removeprefix("<").removesuffix(">")


def _status(record: WarcRecord) -> int:
    """The status of an answer; that of a file that was kept without one is 200."""
    if not record.is_http:
        return 200
    return record.http_headers.status_code or 0


def _content_type(record: WarcRecord) -> str:
    kind = record.http_content_type if record.is_http else record.headers.get("Content-Type")
    return (kind or "").partition(";")[0].strip().lower()


def _time(record: WarcRecord) -> datetime | None:
    try:
        return record.record_date
    except ValueError:
        return None
