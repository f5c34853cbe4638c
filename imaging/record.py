"""What one image is, once its bytes have been read: the value that crosses every room.

`Description` is all that the bytes alone say. `ImageRecord` adds who it is and where it came from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: bits of a hash: a 16x16 block of DCT signs
BITS = 256

#: version of `Description.pixels`: raised with every change that makes the digest of one content another
PIXELS_VERSION = 2

#: digits of `Description.pixels` that say what the first frame or page shows; the others tell of all of them
FIRST_FRAME = 32

#: panels of one picture at most
MOST_PANELS = 12

DEFAULT_COLLECTION = "default"

#: longest id in bytes of UTF-8
MAX_ID_BYTES = 512


def begins_alike(pixels: str, others: str) -> bool:
    """Whether two files show the same in their first frame or page and differ in others, by their digests."""
    return pixels != others and pixels[:FIRST_FRAME] == others[:FIRST_FRAME]


class Key(NamedTuple):
    """What tells two records apart. Ids are unique within a collection, so tenants never meet."""

    collection: str
    id: str


def _half(vector: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The vector at the precision that every index keeps, so that all of them order matches alike."""
    return None if vector is None else vector.astype(np.float16).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Description:
    """The signatures and facts of one image's bytes.

    `bits` and `bits_trimmed` are 32 uint8 (256 bits, DCT order, most significant bit first);
    `bits_trimmed` is None where the picture has no flat margins. `spectrum` and `spectrum_trimmed` are the
    16x16 float32 DCT blocks behind them: queries make the other orientations and the probes from them, and
    they are not stored. `panels`, uint8 [P, 32], are the hashes of the pictures in a page (see
    `facsimile.imaging.panels`) and of its regions (`facsimile.imaging.regions`), P from 0 to `MOST_PANELS`;
    `spectra_panels`, float32 [N, 16, 16], has those of panels alone. `spectrum_middle` is that of the largest
    square in the middle. `pixels` is a SHA-256 of all that the file shows, so that a lossless re-wrap is
    identical (`facsimile.imaging.decode.content`); that of the bytes where files of the same bytes alone are.
    `quality` is 0 for blank pictures, up to 100. `thumbnail` is a JPEG of at most 320 px.
    """

    sha256: str
    pixels: str
    width: int
    height: int
    format: str
    size: int
    quality: int
    bits: NDArray[np.uint8]
    bits_trimmed: NDArray[np.uint8] | None
    spectrum: NDArray[np.float32]
    spectrum_trimmed: NDArray[np.float32] | None
    panels: NDArray[np.uint8]
    spectra_panels: NDArray[np.float32]
    spectrum_middle: NDArray[np.float32]
    thumbnail: bytes
    vector: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ImageRecord:
    """One stored image. The fields are those of the index; see `Description` for the signatures.

    `sources` holds every place where these very bytes were met, first met first: the same file in two
    folders is one record with two sources. `gone` holds the places that no longer have these bytes, since the
    file was moved, removed or changed. `thumbnail` and `vector` are None where a reader did not ask
    for them. `metadata` is a JSON object.
    """

    id: str
    collection: str = DEFAULT_COLLECTION
    sha256: str
    pixels: str
    width: int
    height: int
    format: str
    size: int
    quality: int
    bits: NDArray[np.uint8]
    bits_trimmed: NDArray[np.uint8] | None = None
    panels: NDArray[np.uint8] = field(default_factory=lambda: np.empty((0, BITS // 8), np.uint8))
    vector: NDArray[np.float32] | None = None
    thumbnail: bytes | None = None
    sources: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()
    title: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    added_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def key(self) -> Key:
        return Key(self.collection, self.id)

    @property
    def source(self) -> str:
        """The place where these bytes were met first; empty where nobody said."""
        return self.sources[0] if self.sources else ""

    @property
    def present(self) -> tuple[str, ...]:
        """The places that are not known to have lost these bytes."""
        gone = frozenset(self.gone)
        return tuple(source for source in self.sources if source not in gone)

    @property
    def is_gone(self) -> bool:
        """Whether no place is left of those where these bytes were met; not so where there never was one."""
        return bool(self.gone) and not self.present

    @property
    def place(self) -> str:
        """Where it lies as people read it: the first place that is left, one that is gone, or else the id."""
        if self.present:
            return self.present[0]
        return f"{self.gone[0]} (gone)" if self.gone else self.id

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
    ) -> ImageRecord:
        """The record of a described image; its id is the SHA-256 of the bytes unless the caller has one."""
        return cls(
            id=id or description.sha256,
            collection=collection,
            sha256=description.sha256,
            pixels=description.pixels,
            width=description.width,
            height=description.height,
            format=description.format,
            size=description.size,
            quality=description.quality,
            bits=description.bits,
            bits_trimmed=description.bits_trimmed,
            panels=description.panels,
            vector=_half(description.vector),
            thumbnail=description.thumbnail,
            sources=(source,) if source else (),
            title=title,
            tags=tags,
            metadata=metadata or {},
        )

    def replaced(self, **changes: Any) -> ImageRecord:
        """A copy with these fields changed."""
        return dataclasses.replace(self, **changes)
