"""The Content-Encoding of a body: what browsers take, decoded within a limit."""

from __future__ import annotations

import zlib

#: compressions of HTTP that are not decoded here, and were not requested
REFUSED = frozenset(
    {"br", "zstd", "compress", "x-compress", "dcb", "dcz", "pack200-gzip", "exi", "xz", "lzma", "bzip2"}
)

#: compressions on top of each other that are taken
MOST_LAYERS = 2


class EncodingUnknown(Exception):
    """The body is compressed in a way that is not decoded here; the message names it."""


class BodyDamaged(Exception):
    """The body is not in the encoding that the answer names; the message names it."""


class Decoder:
    """Decodes a body piece by piece, at most one byte beyond the limit.

    `gzip` and `deflate` are decoded, under their old names and any case too. As in browsers, a value that
    names no compression (`identity`, `none`, `utf-8`, `aws-chunked`, …) changes nothing: servers and storage
    services send many. Raises EncodingUnknown.
    """

    def __init__(self, header: str, limit: int) -> None:
        names = [name.strip().lower() for name in header.split(",")]
        layers = [name.removeprefix("x-") for name in names if name.removeprefix("x-") in ("gzip", "deflate")]
        unknown = [name for name in names if name in REFUSED]
        if unknown or len(layers) > MOST_LAYERS:
            raise EncodingUnknown(unknown[0] if unknown else "+".join(layers[:4]))
        self._layers = [_Layer(name, limit) for name in reversed(layers)]

    def decode(self, data: bytes) -> bytes:
        """What the next bytes decode to. Raises BodyDamaged."""
        for layer in self._layers:
            data = layer.decode(data)
        return data

    @property
    def overflowed(self) -> bool:
        """Whether there is more than the limit, after any of the compressions."""
        return any(layer.overflowed for layer in self._layers)

    @property
    def finished(self) -> bool:
        """Whether the body was whole."""
        return all(layer.finished for layer in self._layers)


class _Layer:
    """One compression; `gzip` may have several members, `deflate` may lack the header of zlib."""

    def __init__(self, name: str, limit: int) -> None:
        self._name = name
        self._left = limit + 1
        self._unpacker: zlib._Decompress | None = None

    @property
    def overflowed(self) -> bool:
        return self._left <= 0

    @property
    def finished(self) -> bool:
        return self._unpacker is None or self._unpacker.eof

    def decode(self, data: bytes) -> bytes:
        whole = b""
        while data and self._left > 0:
            if self._unpacker is None or self._unpacker.eof:
                if self._unpacker is not None and not data.startswith(b"\x1f"):
                    break  # what follows the end is ignored, as in browsers
                self._unpacker = zlib.decompressobj(wbits=self._wbits(data))
            try:
                part = self._unpacker.decompress(data, self._left)
            except zlib.error as error:
                raise BodyDamaged(self._name) from error
            whole += part
            self._left -= len(part)
            data = self._unpacker.unused_data
        return whole

    def _wbits(self, data: bytes) -> int:
        """What tells the formats apart; `deflate` without a header has no other sign than lacking one."""
        if self._name == "gzip" or data.startswith(b"\x1f\x8b"):
            return 47
        return 15 if data[0] & 15 == 8 and (len(data) < 2 or int.from_bytes(data[:2]) % 31 == 0) else -15
