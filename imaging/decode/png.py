"""The chunks of a PNG file."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"

#: set in the first letter of a chunk's name where a picture can be shown without it
_ANCILLARY = 0x20


class PngChunk(NamedTuple):
    """The name of a chunk, and where it lies in the file."""

    name: bytes
    start: int
    end: int  # after its checksum


def chunks(data: bytes) -> Iterator[PngChunk]:
    """The chunks up to the last, or as far as the bytes go."""
    position = len(SIGNATURE)
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4])
        chunk = PngChunk(data[position + 4 : position + 8], position, position + 12 + length)
        if chunk.end > len(data):
            return
        yield chunk
        if chunk.name == b"IEND":
            return
        position = chunk.end


def without_damaged_metadata(data: bytes) -> bytes:
    """The file without the ancillary chunks whose checksum is wrong, as viewers show it.

    Nothing of the picture itself is left out: critical chunks stay, damaged or not, for the decoder to judge.
    """
    view = memoryview(data)
    damaged = [
        chunk
        for chunk in chunks(data)
        if chunk.name[0] & _ANCILLARY
        and zlib.crc32(view[chunk.start + 4 : chunk.end - 4])
        != int.from_bytes(data[chunk.end - 4 : chunk.end])
    ]
    if not damaged:
        return data
    kept, position = [], 0
    for chunk in damaged:
        kept.append(data[position : chunk.start])
        position = chunk.end
    return b"".join([*kept, data[position:]])
