"""What one image is, once its bytes have been read: the value that crosses every room.

`Description` holds what is computed from the bytes. `ImageRecord` adds identity and origin.
"""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

#: bits of a hash: a 16x16 block of DCT signs
BITS = 256

#: version of `Description.pixels`: raised with every change that makes the digest of one content another
PIXELS_VERSION = 2

#: digits of `Description.pixels` that identify the first frame or page; the others identify all of them
FIRST_FRAME = 32

#: panels of one picture at most
MOST_PANELS = 12

DEFAULT_COLLECTION = "default"

#: longest id in bytes of UTF-8
MAX_ID_BYTES = 512

#: pages of a record that are kept, the first ones: a logo is on millions
MOST_PAGES = 100


def begins_alike(pixels: str, others: str) -> bool:
    """Whether two files show the same in their first frame or page and differ in others, by their digests."""
    return pixels != others and pixels[:FIRST_FRAME] == others[:FIRST_FRAME]


class Key(NamedTuple):
    """The identity of a record. Ids are unique within a collection, so tenants are separate."""

    collection: str
    id: str


def rounded(vector: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The vector at the precision that every index keeps, so that all of them order matches alike.

    That is bfloat16: the upper half of a float32, rounded to the nearest, ties to even. A cosine of two
    vectors of 256 dimensions changes by a ten-thousandth.
    """
    if vector is None:
        return None
    whole = np.ascontiguousarray(vector, np.float32).view(np.uint32)
    halves = (whole + 0x7FFF + ((whole >> 16) & 1)) & np.uint32(0xFFFF0000)
    return halves.astype(np.uint32).view(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageFacts:
    """What the bytes of an image say beside its signatures.

    `sha256` is of the bytes. `pixels` is a SHA-256 of all that the file shows, so that a lossless re-wrap is
    identical (`facsimile.imaging.decode.content`), or that of the bytes where only the same bytes are. `size`
    is in bytes. `quality` is 0 for blank images, up to 100.
    """

    sha256: str
    pixels: str
    width: int
    height: int
    format: str
    size: int
    quality: int

    @property
    def digests(self) -> tuple[str, str]:
        """The digests by which identical pictures are found."""
        return self.sha256, self.pixels

    def facts(self) -> dict[str, Any]:
        """These fields by name, for making another value from them."""
        return {each.name: getattr(self, each.name) for each in dataclasses.fields(ImageFacts)}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description(ImageFacts):
    """The facts and signatures of one image's bytes.

    `bits` and `bits_trimmed` are 32 uint8 (256 bits, DCT order, most significant bit first);
    `bits_trimmed` is None where the image has no flat margins. `spectrum` and `spectrum_trimmed` are the
    16x16 float32 DCT blocks behind them: queries make the other orientations and the probes from them, and
    they are not stored. `panels`, uint8 [P, 32], are the hashes of the pictures in a page (see
    `facsimile.imaging.panels`) and of its regions (`facsimile.imaging.regions`), P from 0 to `MOST_PANELS`;
    `spectra_panels`, float32 [N, 16, 16], has those of panels alone. `spectrum_middle` is that of the largest
    square in the middle. `thumbnail` is a JPEG of at most 320 px.
    """

    bits: NDArray[np.uint8]
    bits_trimmed: NDArray[np.uint8] | None
    spectrum: NDArray[np.float32]
    spectrum_trimmed: NDArray[np.float32] | None
    panels: NDArray[np.uint8]
    spectra_panels: NDArray[np.float32]
    spectrum_middle: NDArray[np.float32]
    thumbnail: bytes
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebPage:
    """A page that shows an image: its address and title, the image's caption or alternative text there, and
    when that was seen first. What is not known is empty or None."""

    url: str
    title: str = ""
    text: str = ""
    seen_at: datetime | None = None

    @property
    def host(self) -> str:
        """The host of the address in small letters; empty where it has none."""
        try:
            return urlsplit(self.url).hostname or ""
        except ValueError:
            return ""

    def as_json(self) -> dict[str, Any]:
        """The page as a JSON object."""
        seen = self.seen_at.isoformat() if self.seen_at else None
        return {"url": self.url, "title": self.title, "text": self.text, "seen_at": seen}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The page that `as_json` has written; only `url` is needed. Raises ValueError for no date."""
        seen = datetime.fromisoformat(data["seen_at"]) if data.get("seen_at") else None
        if seen is not None and seen.tzinfo is None:
            seen = seen.replace(tzinfo=UTC)
        return cls(url=data["url"], title=data.get("title") or "", text=data.get("text") or "", seen_at=seen)


def joined_pages(pages: Iterable[WebPage]) -> tuple[WebPage, ...]:
    """The pages, each address once as it came first, without those beyond `MOST_PAGES`."""
    joined: dict[str, WebPage] = {}
    for page in pages:
        joined.setdefault(page.url, page)
    return tuple(joined.values())[:MOST_PAGES]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record(ImageFacts):
    """A stored image as it is shown: all but its signatures and thumbnail.

    `sources` are the places where these very bytes were seen, the first one first: the same file in two
    folders is one record with two sources. `gone` are places that no longer have these bytes, since the file
    was moved, removed or changed. `pages` are web pages that show the image, the first ones only. `metadata`
    is a JSON object.
    """

    id: str
    collection: str = DEFAULT_COLLECTION
    sources: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    title: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    pages: tuple[WebPage, ...] = ()
    added_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> Key:
        return Key(self.collection, self.id)

    @property
    def source(self) -> str:
        """The place where these bytes were seen first; may be empty."""
        return self.sources[0] if self.sources else ""

    @property
    def present(self) -> tuple[str, ...]:
        """The sources that are not known to be gone."""
        gone = frozenset(self.gone)
        return tuple(source for source in self.sources if source not in gone)

    @property
    def is_gone(self) -> bool:
        """Whether the record had sources and all of them are gone."""
        return bool(self.gone) and not self.present

    @property
    def place(self) -> str:
        """The first present source, else one that is gone, else the id."""
        if self.present:
            return self.present[0]
        return f"{self.gone[0]} (gone)" if self.gone else self.id

    def as_json(self) -> dict[str, Any]:
        """The record as a JSON object; `source` is the first of the sources."""
        shown = [each.name for each in dataclasses.fields(Record)]
        return {"source": self.source, **encoded(self, shown)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """The record that `as_json`, or `encoded`, has written; other keys are ignored."""
        return cls(
            **{
                each.name: _CODECS[each.name].decode(data[each.name])
                if each.name in _CODECS
                else data[each.name]
                for each in dataclasses.fields(cls)
                if each.name in data
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRecord(Record):
    """One stored image with its signatures (see `Description`); the fields are those of the index.

    `thumbnail` and `vector` are None where a reader did not ask for them.
    """

    bits: NDArray[np.uint8]
    bits_trimmed: NDArray[np.uint8] | None = None
    panels: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, BITS // 8), np.uint8))
    vector: NDArray[np.float32] | None = None
    thumbnail: bytes | None = None

    @classmethod
    def of(
        cls,
        description: Description,
        *,
        id: str | None = None,
        collection: str = DEFAULT_COLLECTION,
        source: str = "",
        title: str = "",
        tags: tuple[str, ...] = (),
        metadata: Mapping[str, Any] | None = None,
        pages: tuple[WebPage, ...] = (),
    ) -> ImageRecord:
        """The record of a described image; its id is the SHA-256 of the bytes unless the caller has one."""
        return cls(
            id=id or description.sha256,
            collection=collection,
            **description.facts(),
            bits=description.bits,
            bits_trimmed=description.bits_trimmed,
            panels=description.panels,
            vector=rounded(description.vector),
            thumbnail=description.thumbnail,
            sources=(source,) if source else (),
            title=title,
            tags=tags,
            metadata=metadata or {},
            pages=joined_pages(pages),
        )

    def replaced(self, **changes: Any) -> ImageRecord:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)


class _Codec(NamedTuple):
    """How a field is written as JSON and read again."""

    encode: Callable[[Any], Any]
    decode: Callable[[Any], Any]


def _optional(codec: _Codec) -> _Codec:
    return _Codec(
        lambda value: None if value is None else codec.encode(value),
        lambda data: None if data is None else codec.decode(data),
    )


_HASH = _Codec(lambda bits: bits.tobytes().hex(), lambda text: np.frombuffer(bytes.fromhex(text), np.uint8))
_BYTES = _Codec(
    lambda data: base64.b64encode(data).decode(), lambda text: base64.b64decode(text, validate=True)
)
_TUPLE = _Codec(list, tuple)

#: the fields of records that are not JSON values themselves: hashes in hex, bytes and vectors in base64
_CODECS = {
    "sources": _TUPLE,
    "gone": _TUPLE,
    "tags": _TUPLE,
    "metadata": _Codec(dict, dict),
    "pages": _Codec(
        lambda pages: [page.as_json() for page in pages],
        lambda listed: tuple(map(WebPage.from_json, listed)),
    ),
    "added_at": _Codec(datetime.isoformat, datetime.fromisoformat),
    "bits": _HASH,
    "bits_trimmed": _optional(_HASH),
    "panels": _Codec(
        lambda panels: [_HASH.encode(bits) for bits in panels],
        lambda texts: _HASH.decode("".join(texts)).reshape(-1, BITS // 8),
    ),
    "vector": _optional(
        _Codec(
            lambda vector: _BYTES.encode(vector.astype("<f4").tobytes()),
            lambda text: np.frombuffer(_BYTES.decode(text), "<f4"),
        )
    ),
    "thumbnail": _optional(_BYTES),
}


def encoded(record: Record, names: Iterable[str] | None = None) -> dict[str, Any]:
    """Fields of a record as JSON values; all of them where none are named."""
    names = [each.name for each in dataclasses.fields(record)] if names is None else names
    return {
        name: _CODECS[name].encode(getattr(record, name)) if name in _CODECS else getattr(record, name)
        for name in names
    }
