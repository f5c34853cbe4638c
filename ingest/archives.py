"""Images inside `.zip` and `.tar` archives, read member by member; nothing is unpacked to a disk.

A member is called `ARCHIVE!/MEMBER`. What a header says about sizes is never trusted: at most the limit is
decompressed of each member.
"""

from __future__ import annotations

import bz2
import dataclasses
import gzip
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, BinaryIO, cast

from imaging.record import DEFAULT_COLLECTION
from ingest.errors import ArchiveError, SourceMissing, SourceTooLarge
from ingest.item import Item, Outcome, shown

#: parts the name of an archive from the name of a member
SEPARATOR = "!/"

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")

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

#: zip's other methods have decoders that cannot be stopped at a size, and images gain nothing by them
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}

#: a member's name and how to open or to read it
Opened = tuple[str, Callable[[], IO[bytes]]]
Member = tuple[str, Callable[[], bytes]]


def is_archive(name: str) -> bool:
    """Whether a file of this name is read as an archive."""
    return name.lower().endswith(SUFFIXES)


def read(
    stream: BinaryIO,
    name: str,
    *,
    wanted: Callable[[str], bool],
    max_bytes: int,
    collection: str = DEFAULT_COLLECTION,
) -> Iterator[Item | Outcome]:
    """The members whose name is `wanted`, with their bytes, in the archive's order.

    A member that cannot be read, is encrypted, or has over `max_bytes` is a failed outcome; damage that
    hides the rest of the archive is one for the archive.
    """
    try:
        for member, load in _members(stream, name, max_bytes):
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
    except DAMAGE as error:
        broken = ArchiveError(f"{name} is no readable archive, or is cut short ({error})")
        yield Outcome.failed(Item(name, collection=collection), broken)


def read_member(stream: BinaryIO, name: str, member: str, *, max_bytes: int) -> bytes:
    """The bytes of one member.

    Raises SourceMissing, SourceTooLarge, or ArchiveError.
    """
    try:
        for found, load in _members(stream, name, max_bytes):
            if found == member:
                return load()
    except DAMAGE as error:
        raise ArchiveError(f"{name} is no readable archive, or is cut short ({error})") from error
    raise SourceMissing(f"{name} has no member {member}")


def _members(stream: BinaryIO, name: str, max_bytes: int) -> Iterator[Member]:
    opened = _zip(stream) if name.lower().endswith(".zip") else _tar(stream, name, max_bytes)
    for member, opener in opened:
        yield member, partial(_bounded, opener, member, max_bytes)


def _bounded(opener: Callable[[], IO[bytes]], member: str, max_bytes: int) -> bytes:
    try:
        with opener() as file:
            data = file.read(max_bytes + 1)
    except DAMAGE as error:
        raise ArchiveError(f"the member {member} is damaged ({error})") from error
    if len(data) > max_bytes:
        raise SourceTooLarge(f"the member {member} has more than {max_bytes} bytes")
    return data


def _zip(stream: BinaryIO) -> Iterator[Opened]:
    with zipfile.ZipFile(stream) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                yield info.filename, partial(_zip_member, archive, info)


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> IO[bytes]:
    if info.flag_bits & 0x1:
        raise ArchiveError(f"the member {info.filename} is encrypted")
    if info.compress_type not in METHODS:
        raise ArchiveError(f"the member {info.filename} is compressed by another method than deflate")
    return archive.open(info)


def _tar(stream: BinaryIO, name: str, max_bytes: int) -> Iterator[Opened]:
    blocks = _BoundedReads(_decompressed(stream, name), max_bytes + MAX_HEADER)
    with tarfile.open(fileobj=cast(IO[bytes], blocks), mode="r:") as archive:
        while (info := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined]  # tarfile would keep every header that it has met
            if info.isreg():
                yield info.name, partial(_tar_member, archive, info)
        # tarfile takes a damaged header for the end, which is a block of zeros
        blocks.seek(archive.offset)
        if blocks.read(tarfile.BLOCKSIZE).strip(b"\0"):
            raise tarfile.ReadError(f"bad header at byte {archive.offset}")


def _tar_member(archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    return cast(IO[bytes], archive.extractfile(info))


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
