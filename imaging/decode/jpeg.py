"""The segments of a JPEG file, read without decoding it.

What is read here comes from strangers: each function takes any bytes, and reads no more than `MOST_SEGMENTS`
of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

SOI = b"\xff\xd8"
EOI = b"\xff\xd9"

#: what every file begins with: the marker of the beginning, and that of the next segment
BEGINNING = SOI + b"\xff"

_APP0, _APP14, _APP15, _COMMENT, _SOS, _END = 0xE0, 0xEE, 0xEF, 0xFE, 0xDA, 0xD9

#: markers of frame headers: all but those of Huffman tables, of extensions and of arithmetic conditioning
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_PROGRESSIVE = frozenset((0xC2, 0xC6, 0xCA, 0xCE))

#: segments that hold the picture itself, and neither text nor coordinates
_PICTURE_SEGMENTS = frozenset((0xC0, 0xC1, 0xC2, 0xC4, _SOS, 0xDB, 0xDD))

#: markers without a length: TEM, RST0 to RST7, SOI
_BARE = frozenset((0x01, *range(0xD0, 0xD9)))

#: any marker, with the fill bytes before it
_MARKER = re.compile(rb"\xff+[^\x00\xff]")

#: the end of the compressed data of a scan: a marker that is neither a stuffed byte nor a restart
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

#: what decoders take for the continuation of a scan; no marker comes of it, even after a byte of 0xff
_NOISE = b"\0" + bytes.fromhex("a65b39c7164be83d92710fd4286e5ab3") * 4

#: with its end a file may have lost so much of its last blocks, of 16x16 pixels: four of the last row; a line
#: more is interpolated from them
LOST_COLUMNS = 4 * 16 + 1
LOST_LINES = 16 + 1

#: segments that are looked at; files of cameras have some dozens, and of 400 scans some 800
MOST_SEGMENTS = 20_000


class Segment(NamedTuple):
    """A marker, and where its segment lies in the file; that of a scan includes its compressed data."""

    marker: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Frame:
    """What the header says. `coefficients` is the memory, in bytes, that a decoder needs for those of the
    whole picture; it needs them only where a picture comes in several scans."""

    width: int
    height: int
    several_scans: bool
    coefficients: int


def segments(data: bytes) -> Iterator[Segment]:
    """The segments of the first picture up to its end marker, or as far as the bytes go."""
    position = len(SOI) if data.startswith(SOI) else 0
    for _ in range(MOST_SEGMENTS):
        found = _MARKER.search(data, position)
        if found is None:
            return
        start, marker = found.end() - 2, data[found.end() - 1]
        if marker in _BARE:
            position = found.end()
            continue
        if marker == _END:
            yield Segment(marker, start, found.end())
            return
        length = int.from_bytes(data[found.end() : found.end() + 2])
        end = found.end() + length
        if length < 2 or end > len(data):
            return
        if marker == _SOS:
            after = _AFTER_SCAN.search(data, end)
            end = after.start() if after else len(data)
        yield Segment(marker, start, end)
        position = end


def frame(data: bytes) -> Frame | None:
    """What the header of the first picture says; None where there is none before the first scan."""
    header = b""
    for marker, start, end in segments(data):
        if marker in _FRAMES:
            header = data[start:end]
        elif marker == _SOS:
            components = data[start + 4] if end > start + 4 else 0
            return _frame(header, components)
    return None


def _frame(header: bytes, components_in_scan: int) -> Frame | None:
    if len(header) < 10 or len(header) < 10 + 3 * header[9]:
        return None
    height, width, components = int.from_bytes(header[5:7]), int.from_bytes(header[7:9]), header[9]
    factors = [divmod(header[11 + 3 * n], 16) for n in range(components)]
    across, down = (max((factor[axis] for factor in factors), default=1) or 1 for axis in (0, 1))
    samples = sum(width * height * h * v / (across * down) for h, v in factors)
    several = header[1] in _PROGRESSIVE or components_in_scan < components
    return Frame(width, height, several, int(2 * samples))


def has_more_scans_than(data: bytes, most: int) -> bool:
    """Whether there are more scans than so many; it looks no further."""
    scans = 0
    for segment in segments(data):
        scans += segment.marker == _SOS
        if scans > most:
            return True
    return False


def has_end(data: bytes) -> bool:
    """Whether the end marker of the first picture is there."""
    return any(segment.marker == _END for segment in segments(data))


def endings(data: bytes) -> tuple[bytes, bytes]:
    """The file, whose end is missing, with an end marker; and with something else before the marker.

    Decoders draw a file that is cut short up to the cut, and what follows from the bytes that they find
    there: the two pictures differ from the cut on. They are equal where nothing but the marker is missing.
    """
    return data + EOI, data + _NOISE + EOI


def coded_picture(data: bytes) -> hashlib._Hash:
    """A digest of everything that the decoded picture depends on: no words, no coordinates, no profile.

    Files with equal ones show the same pixels. The same pixels can be coded in other ways.
    """
    digest = hashlib.sha256()
    view = memoryview(data)
    for marker, start, end in segments(data):
        metadata = _APP0 <= marker <= _APP15 or marker == _COMMENT
        if not metadata or marker == _APP14:  # Adobe's says how the colours are coded
            digest.update(view[start:end])
    return digest


def without_metadata(data: bytes) -> bytes | None:
    """The file without the segments for words, coordinates, profiles and previews, and without what follows
    its end; None where it has unusual segments or no end."""
    kept = [SOI]
    for marker, start, end in segments(data):
        if marker == _END:
            return b"".join([*kept, EOI])
        if marker == _APP14:  # it may say that the colours are not YCbCr
            return None
        bare_jfif = marker == _APP0 and end - start == 18  # JFIF without a preview
        if marker in _PICTURE_SEGMENTS or bare_jfif:
            kept.append(data[start:end])
        elif not _APP0 <= marker <= _APP15 and marker != _COMMENT:
            return None
    return None
