"""What servers write as Content-Encoding, and what is behind it."""

from __future__ import annotations

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facsimile.ingest.encodings import BodyDamaged, Decoder
from facsimile.ingest.errors import FetchRejected, SourceTooLarge
from facsimile.ingest.fetch import Fetcher
from facsimile.ingest.fetch_limits import FetchLimits
from tests.support.pictures import synthetic
from tests.support.web_server import Web

OPEN = FetchLimits(allow_private=True, max_bytes=100_000, total_seconds=5, attempts=1)

PLAIN = [
    "",
    "identity",
    "none",
    "utf-8",
    "UTF-8",
    "aws-chunked",
    "binary",
    "Identity, identity",
    ", ,",
    "8bit",
    "jpeg",
]

IMAGE = synthetic(1)
_raw = zlib.compressobj(wbits=-15)
DEFLATED = _raw.compress(IMAGE) + _raw.flush()

PACKED = {
    **dict.fromkeys(
        ["gzip", "x-gzip", "GZIP", "X-GZip", "aws-chunked,gzip", "gzip, identity"], gzip.compress(IMAGE)
    ),
    **dict.fromkeys(["deflate", "x-deflate", "Deflate"], zlib.compress(IMAGE)),
    "deflate ": DEFLATED,
    "gzip, gzip": gzip.compress(gzip.compress(IMAGE)),
    "gzip,  ": gzip.compress(IMAGE[:100]) + gzip.compress(IMAGE[100:]) + b"rest",
}


def get(url: str) -> bytes:
    with Fetcher(OPEN) as fetcher:
        return fetcher.fetch(url)


@pytest.mark.parametrize("encoding", PLAIN)
def test_a_value_that_names_no_compression_changes_nothing(web: Web, encoding: str) -> None:
    assert get(web.serve("/a.jpg", IMAGE, Content_Encoding=encoding)) == IMAGE


@pytest.mark.parametrize("encoding", PACKED)
def test_compressed_bodies_are_decoded(web: Web, encoding: str) -> None:
    assert get(web.serve("/a.jpg", PACKED[encoding], Content_Encoding=encoding)) == IMAGE


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "BR", "gzip, br", "gzip, gzip, gzip"])
def test_other_compressions_are_named(web: Web, encoding: str) -> None:
    with pytest.raises(FetchRejected, match=r"(?i)encoding (br|zstd|compress|gzip)"):
        get(web.serve("/a.jpg", IMAGE, Content_Encoding=encoding))


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "deflate", "gzip, gzip", "GZIP"])
def test_a_bomb_ends_at_the_limit(web: Web, encoding: str) -> None:
    bomb = bytes(50_000_000)
    packed = zlib.compress(bomb, 9) if encoding == "deflate" else gzip.compress(bomb, 9)
    if encoding == "gzip, gzip":
        packed = gzip.compress(packed)
    with pytest.raises(SourceTooLarge):
        get(web.serve("/bomb", packed, Content_Encoding=encoding))


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate", "x-gzip", "gzip,deflate", "none"]))
def test_no_bytes_decode_beyond_the_limit_or_with_another_error(data: bytes, encoding: str) -> None:
    decoder = Decoder(encoding, 100)
    try:
        assert len(b"".join(decoder.decode(data[at : at + 7]) for at in range(0, len(data), 7))) <= 200
    except BodyDamaged as error:
        assert str(error) in ("gzip", "deflate")
