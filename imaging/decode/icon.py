"""The pictures in a Windows icon: its directory says little about their size."""

from __future__ import annotations

from collections.abc import Iterator

from facsimile.imaging.decode import png

SIGNATURE = b"\0\0\1\0"

_ENTRY = 16
_RUN_LENGTH = (1, 2)  # compressions of a bitmap that Pillow undoes in Python


def sizes(data: bytes) -> list[tuple[int, int]]:
    """Width and height of each picture, as its own header has them."""
    return [_size(data[offset : offset + 24]) for offset in _offsets(data)]


def has_run_lengths(data: bytes) -> bool:
    """Whether a picture in it is a bitmap of run lengths."""
    return any(
        not data.startswith(png.SIGNATURE, offset)
        and int.from_bytes(data[offset + 16 : offset + 20], "little") in _RUN_LENGTH
        for offset in _offsets(data)
    )


def _offsets(data: bytes) -> Iterator[int]:
    for number in range(int.from_bytes(data[4:6], "little")):
        entry = data[6 + _ENTRY * number : 6 + _ENTRY * (number + 1)]
        if len(entry) < _ENTRY:
            return
        yield int.from_bytes(entry[12:16], "little")


def _size(header: bytes) -> tuple[int, int]:
    if header.startswith(png.SIGNATURE):
        return int.from_bytes(header[16:20]), int.from_bytes(header[20:24])
    if int.from_bytes(header[:4], "little") == 12:
        return int.from_bytes(header[4:6], "little"), int.from_bytes(header[6:8], "little")
    width, height = (int.from_bytes(header[at : at + 4], "little", signed=True) for at in (4, 8))
    return abs(width), abs(height)
