"""The main header of a JPEG 2000 codestream."""

from __future__ import annotations

_SIZE = b"\xff\x4f\xff\x51"  # SOC, SIZ
_CODING = b"\xff\x52"

#: where they stand in the segments, from the first byte of the marker
_COMPONENTS, _DEPTHS, _LEVELS = 38, 40, 9

_MOST_LEVELS = 32


def depth(data: bytes) -> int:
    """The most bits that a sample of a component has; 0 where there is no header."""
    size = data.find(_SIZE) + 2
    if size < 2:
        return 0
    components = int.from_bytes(data[size + _COMPONENTS : size + _DEPTHS])
    depths = data[size + _DEPTHS : size + _DEPTHS + 3 * components : 3]
    return max(((each & 0x7F) + 1 for each in depths), default=0)


def levels(data: bytes) -> int:
    """How often the decoder can halve width and height."""
    start = max(data.find(_SIZE), 0)
    coding = data.find(_CODING, start)
    if coding < 0 or coding + _LEVELS >= len(data):
        return 0
    return min(data[coding + _LEVELS], _MOST_LEVELS)
