"""Images inside `.zip` and `.tar` archives, read member by member; nothing is unpacked to a disk.

A member is called `ARCHIVE!/MEMBER`. What a header says about sizes is never trusted: at most the limit is
decompressed of each member, and of the archive so many times its own bytes. Photographs hardly compress, so
that an archive of any size of them is far below that limit, and one made to unpack to terabytes is not.
"""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import io
import lzma
import os
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import IO, BinaryIO, cast

from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.errors import ArchiveError, SourceNotFound, SourceTooLarge
from facsimile.ingest.item import Item, Outcome, shown

#: parts the name of an archive from the name of a member
SEPARATOR = "!/"

ZIP = (".zip", ".cbz")
SUFFIXES = (*ZIP, ".tar", ".cbt", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

#: what damaged archives raise, over the formats
DAMAGE = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
)

#: bytes that a tar header may have beyond the limit of an image
MAX_HEADER = 1 << 20

#: bytes of the header of a zip's member, before its name
ZIP_HEADER = 30

#: bytes that an archive may unpack to whatever its own size
FREE_BYTES = 1_000_000_000

#: zip's other methods have decoders that cannot be stopped at a size, and images gain nothing by them
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

#: a member's name and how to open or to read it
Opened = tuple[str, Callable[[], IO[bytes]]]
ArchiveMember = tuple[str, Callable[[], bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What one archive may cost: `entries` in all, bytes unpacked for each byte of the archive (`ratio`, from
    a gigabyte on), `seconds` spent in unpacking.
    """

    entries: int = 10_000_000
    ratio: float = 200.0
    seconds: float = 21_600.0


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as an archive."""
    return name.lower().endswith(SUFFIXES)


def read(
    stream: BinaryIO,
    name: str,
    *,
    wanted: Callable[[str], bool],
    max_bytes: int,
    limits: ArchiveLimits | None = None,
    collection: str = DEFAULT_COLLECTION,
) -> Iterator[Item | Outcome]:
    """The members whose name is `wanted`, with their bytes, in the archive's order.

    A member that cannot be read, is encrypted, or has over `max_bytes` is a failed outcome; damage that
    hides the rest of the archive is one for the archive, and so is a limit that it exceeds.
    """
    try:
        for member, load in _members(stream, name, max_bytes, limits or ArchiveLimits()):
            if not wanted(member):
                continue
            item = Item(f"{name}{SEPARATOR}{shown(member)}", collection=collection)
            try:
                if shown(member) != member:
                    raise ArchiveError(f"the name of the member {shown(member)} is not UTF-8")
                data = load()
            except (ArchiveError, SourceTooLarge) as error:
                yield Outcome.failed(item, error)
            else:
                yield dataclasses.replace(item, data=data)
    except FacsimileError:
        raise
    except _Refused as error:
        yield Outcome.failed(Item(name, collection=collection), ArchiveError(f"{name} {error}"))
    except Exception as error:  # a damaged archive may raise anything
        broken = ArchiveError(f"{name} is no readable archive, or is cut short ({error})")
        yield Outcome.failed(Item(name, collection=collection), broken)


def read_member(stream: BinaryIO, name: str, member: str, *, max_bytes: int) -> bytes:
    """The bytes of one member.

    Raises SourceNotFound, SourceTooLarge, or ArchiveError.
    """
    try:
        for found, load in _members(stream, name, max_bytes, ArchiveLimits()):
            if found == member:
                return load()
    except FacsimileError:
        raise
    except _Refused as error:
        raise ArchiveError(f"{name} {error}") from error
    except Exception as error:
        raise ArchiveError(f"{name} is no readable archive, or is cut short ({error})") from error
    raise SourceNotFound(f"{name} has no member {member}")


class _Refused(Exception):
    """The archive as a whole is not read on; the message goes on from its name."""


class _Budget:
    """What of the limits of an archive is used up."""

    def __init__(self, limits: ArchiveLimits, size: int) -> None:
        self._limits = limits
        self._entries = 0
        self._reached = 0
        self._seconds = 0.0
        self._bytes_left = max(FREE_BYTES, limits.ratio * size)

    def count(self) -> None:
        """One more entry."""
        self._entries += 1
        if self._entries > self._limits.entries:
            raise _Refused(f"has more than {self._limits.entries} entries")

    def spend(self, size: int) -> None:
        """So many bytes that were, or have to be, unpacked."""
        self._bytes_left -= size
        if self._bytes_left < 0:
            raise _Refused(f"unpacks to more than {self._limits.ratio:g} times its own bytes")

    def reach(self, offset: int) -> None:
        """The bytes of a stream that has to be unpacked up to here."""
        self.spend(max(0, offset - self._reached))
        self._reached = max(self._reached, offset)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Count the time in the block."""
        start = time.monotonic()
        yield
        self._seconds += time.monotonic() - start
        if self._seconds > self._limits.seconds:
            raise _Refused(f"takes longer than {self._limits.seconds:g} seconds to unpack")


def _members(stream: BinaryIO, name: str, max_bytes: int, limits: ArchiveLimits) -> Iterator[ArchiveMember]:
    budget = _Budget(limits, stream.seek(0, os.SEEK_END))
    stream.seek(0)
    zipped = name.lower().endswith(ZIP)
    opened = _zip(stream, budget) if zipped else _tar(stream, name, max_bytes, budget)
    for member, opener in opened:
        yield member, partial(_bounded, opener, member, max_bytes, budget, spends=zipped)


def _bounded(
    opener: Callable[[], IO[bytes]], member: str, max_bytes: int, budget: _Budget, *, spends: bool
) -> bytes:
    """The bytes of a member; those of a tar were spent with its header."""
    try:
        with budget.timed(), opener() as file:
            data = file.read(max_bytes + 1)
    except DAMAGE as error:
        raise ArchiveError(f"the member {member} is damaged ({error})") from error
    if spends:
        budget.spend(len(data))
    if len(data) > max_bytes:
        raise SourceTooLarge(f"the member {member} has more than {max_bytes} bytes")
    return data


def _zip(stream: BinaryIO, budget: _Budget) -> Iterator[Opened]:
    with zipfile.ZipFile(stream) as archive:
        _check_overlap(archive)
        for info in archive.infolist():
            budget.count()
            if not info.is_dir():
                yield info.filename, partial(_zip_member, archive, info)


def _check_overlap(archive: zipfile.ZipFile) -> None:
    """Refuse an archive whose members share bytes: a few kilobytes then unpack to terabytes."""
    end = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset < end:
            raise _Refused("has members that overlap, which only an archive made to do harm has")
        end = info.header_offset + ZIP_HEADER + info.compress_size


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & 0x1:
        raise ArchiveError(f"the member {info.filename} is encrypted")
    if info.compress_type not in METHODS:
        raise ArchiveError(f"the member {info.filename} is compressed by another method than deflate")
    return archive.open(info)


def _tar(stream: BinaryIO, name: str, max_bytes: int, budget: _Budget) -> Iterator[Opened]:
    blocks = _BoundedReads(_decompressed(stream, name), max_bytes + MAX_HEADER)
    # where the bytes of each file are, by the hash of its name: what hard links further on lead to
    places: dict[int, tuple[int, int]] = {}
    with tarfile.open(fileobj=cast(IO[bytes], blocks), mode="r:") as archive:
        while (info := _next_header(archive, budget)) is not None:
            if info.isreg():
                if not info.issparse():
                    places[hash(os.path.normpath(info.name))] = (info.offset_data, info.size)
                yield info.name, partial(_tar_member, archive, info)
            elif info.islnk():
                found = places.get(hash(os.path.normpath(info.linkname)))
                yield info.name, partial(_linked, blocks, info, found, max_bytes, budget)
        # tarfile takes a damaged header for the end, which is a block of zeros
        blocks.seek(archive.offset)
        if blocks.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"bad header at byte {archive.offset}")


def _next_header(archive: tarfile.TarFile, budget: _Budget) -> tarfile.TarInfo | None:
    """The next header; the bytes up to the one after it count: to skip them is to unpack them."""
    with budget.timed():
        info = archive.next()
    archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header that it has met
    if info is not None:
        budget.count()
        budget.reach(archive.offset)
    return info


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(info))


def _linked(
    blocks: _BoundedReads, info: tarfile.TarInfo, found: tuple[int, int] | None, most: int, budget: _Budget
) -> IO[bytes]:
    """The bytes that a hard link leads to; in a compressed archive all before them is unpacked again."""
    if found is None:
        raise ArchiveError(f"the member {shown(info.name)} is a link to a file that is not before it")
    offset, size = found
    budget.spend(offset + size)
    blocks.seek(offset)
    return io.BytesIO(blocks.read(min(size, most + 1)))


def _decompressed(stream: BinaryIO, name: str) -> IO[bytes]:
    lower = name.lower()
    if lower.endswith((".gz", ".tgz")):
        return cast(IO[bytes], gzip.open(stream))
    if lower.endswith((".bz2", ".tbz2")):
        return bz2.open(stream)
    if lower.endswith((".xz", ".txz")):
        return lzma.open(stream)
    return stream


class _BoundedReads:
    """A file that refuses to read much at once: tarfile reads extended headers whole, of any size."""

    def __init__(self, file: IO[bytes], limit: int) -> None:
        self._file = file
        self._limit = limit
        self.seek = file.seek
        self.tell = file.tell

    def read(self, size: int) -> bytes:
        if size > self._limit:
            raise tarfile.ReadError(f"a header of {size} bytes")
        return self._file.read(size)
