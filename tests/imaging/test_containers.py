"""The bytes around a picture: segments of JPEG, chunks of PNG, directories of icons, and any bytes at all."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from PIL import Image

from facsimile.imaging.decode import Limits, decode, formats, icon, jpeg, jpeg2000, png
from facsimile.imaging.errors import BrokenImage, ImageError, ImageTooLarge, NotAnImage
from tests.support.pictures import encoded, photograph

BASELINE = encoded(photograph(), "JPEG", quality=90)
PROGRESSIVE = encoded(photograph(), "JPEG", quality=90, progressive=True)
LARGE = encoded(photograph("coffee.png", 600).resize((1800, 1200)), "JPEG", quality=90)
PNG = encoded(photograph())


def chunk(kind: bytes, body: bytes, *, bad: bool = False) -> bytes:
    checksum = zlib.crc32(kind + body) ^ (0xFFFF if bad else 0)
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)


def with_scans(data: bytes, scans: int) -> bytes:
    """A progressive JPEG whose last scan is repeated."""
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * scans + jpeg.EOI


# -- JPEG ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE, LARGE], ids=["baseline", "progressive", "scaled"])
@pytest.mark.parametrize(
    "tail", [b"", b"\xff", bytes(64), b"\xff\xff\xff"], ids=["bare", "half", "zeros", "fill"]
)
def test_a_jpeg_whose_end_marker_is_missing_is_read(data: bytes, tail: bytes) -> None:
    np.testing.assert_array_equal(decode(data[:-2] + tail).rgb, decode(data).rgb)


def test_a_jpeg_without_its_last_bytes_is_read() -> None:
    difference = decode(BASELINE[:-6]).rgb.astype(int) - decode(BASELINE).rgb
    assert not difference[:-18].any() and not difference[:, :-70].any()


@pytest.mark.parametrize("data", [BASELINE, PROGRESSIVE, LARGE], ids=["baseline", "progressive", "scaled"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8, 0.9, 0.95])
def test_a_jpeg_that_lacks_a_part_of_its_picture_is_refused(data: bytes, share: float) -> None:
    with pytest.raises(BrokenImage, match="its end is missing"):
        decode(data[: int(len(data) * share)])


def test_the_number_of_scans_is_limited_by_their_size() -> None:
    assert decode(with_scans(PROGRESSIVE, 30)).width == 400
    long = with_scans(encoded(Image.new("L", (4000, 4000), 128), "JPEG", progressive=True), 200)
    with pytest.raises(ImageTooLarge, match="100 scans of 4,000x4,000 pixels"):
        decode(long)


def test_the_limit_is_on_the_pixels_that_are_decoded() -> None:
    telephone = Image.new("L", (16_320, 12_240), 128)
    telephone.paste(200, (0, 0, 9000, 12_240))
    picture = decode(encoded(telephone, "JPEG", quality=50))  # 200 million
    assert (picture.width, picture.height) == telephone.size
    assert max(picture.rgb.shape) <= 2048
    with pytest.raises(ImageTooLarge, match="the limit at 1/8 of its size is 1,000,000"):
        decode(encoded(telephone, "JPEG", quality=50), Limits(max_pixels=1_000_000))
    with pytest.raises(ImageTooLarge, match="several scans needs too much memory"):
        decode(
            encoded(telephone.resize((6000, 4000)), "JPEG", progressive=True, quality=50),
            Limits(max_pixels=2_000_000),
        )


def test_a_jpeg_that_claims_more_than_can_be_read_in_time_is_refused() -> None:
    claim = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
    frame = claim.index(b"\xff\xc0")
    claim[frame + 5 : frame + 9] = b"\xff\xff\xff\xff"
    with pytest.raises(ImageTooLarge):
        decode(bytes(claim))


@given(
    some.binary(max_size=400)
    | some.builds(lambda a, b: BASELINE[:a] + b, some.integers(0, 900), some.binary())
)
def test_segments_of_any_bytes_lie_in_order_and_inside(data: bytes) -> None:
    position = 0
    for segment in jpeg.segments(data):
        assert position <= segment.start < segment.end <= len(data)
        assert data[segment.start] == 0xFF and data[segment.start + 1] == segment.marker
        position = segment.end
    jpeg.frame(data)
    jpeg.has_end(data)
    jpeg.coded_picture(data)
    bare = jpeg.without_metadata(data)
    assert bare is None or jpeg.has_end(bare)


@given(some.integers(0, len(PROGRESSIVE) - 1), some.binary(min_size=1, max_size=6))
@settings(max_examples=60, deadline=None)
def test_damage_anywhere_is_read_or_refused_in_one_sentence(at: int, damage: bytes) -> None:
    for whole in (PROGRESSIVE, BASELINE, PNG):
        data = whole[:at] + damage + whole[at + len(damage) :]
        try:
            decode(data)
        except ImageError as error:
            assert str(error) and "\n" not in str(error)


def test_so_many_segments_are_looked_at() -> None:
    many = jpeg.SOI + b"\xff\xe0\x00\x02" * (2 * jpeg.MOST_SEGMENTS) + BASELINE[2:]
    assert sum(1 for _ in jpeg.segments(many)) == jpeg.MOST_SEGMENTS
    with pytest.raises(BrokenImage):
        decode(many)


# -- PNG ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "damaged",
    [chunk(b"tEXt", b"Software\0x", bad=True), chunk(b"pHYs", struct.pack(">IIB", 1, 1, 1), bad=True)],
    ids=["tEXt", "pHYs"],
)
@pytest.mark.parametrize("where", [33, -12], ids=["before the picture", "after it"])
def test_damaged_metadata_of_a_png_is_left_out(damaged: bytes, where: int) -> None:
    data = PNG[:where] + damaged + PNG[where:]
    assert decode(data).pixels == decode(PNG).pixels


def test_metadata_that_is_whole_stays() -> None:
    image = Image.new("RGB", (20, 20), (10, 20, 30))
    keyed = encoded(image, "PNG", transparency=(10, 20, 30))
    damaged = keyed[:33] + chunk(b"tEXt", b"a\0b", bad=True) + keyed[33:]
    assert png.without_damaged_metadata(damaged) == keyed
    assert png.without_damaged_metadata(keyed) is keyed


def test_damage_of_the_picture_itself_is_refused() -> None:
    position = PNG.index(b"IHDR") + 4
    with pytest.raises(BrokenImage):
        decode(PNG[:position] + b"\0\0\2" + PNG[position + 3 :])


@given(
    some.binary(max_size=300) | some.builds(lambda a, b: PNG[:a] + b, some.integers(0, 300), some.binary())
)
def test_chunks_of_any_bytes_lie_in_order_and_inside(data: bytes) -> None:
    position = len(png.SIGNATURE)
    for each in png.chunks(data):
        assert each.start == position and position + 12 <= each.end <= len(data)
        position = each.end
    assert len(png.without_damaged_metadata(data)) <= len(data)


# -- others -------------------------------------------------------------------------------------------------


def icon_of(picture: bytes) -> bytes:
    """An icon that says 16x16 and holds a picture of any size."""
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(picture), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + picture


def test_an_icon_is_as_large_as_the_picture_in_it() -> None:
    data = icon_of(encoded(Image.new("RGBA", (3000, 2000))))
    assert icon.sizes(data) == [(3000, 2000)]
    assert decode(data).width == 3000
    with pytest.raises(ImageTooLarge, match="3,000x2,000"):
        decode(data, Limits(max_pixels=1_000_000))
    run_lengths = struct.pack("<IiiHHI", 40, 3000, 2000, 1, 8, 1) + bytes(100)
    with pytest.raises(ImageTooLarge, match="1,000,000"):
        decode(icon_of(run_lengths))


@pytest.mark.parametrize("format", ["QOI", "PPM"])
def test_decoders_in_python_are_for_small_pictures(format: str) -> None:
    if format == "QOI":
        data = b"qoif" + struct.pack(">IIBB", 2000, 2000, 4, 0) + b"\x40\x6b" * 2_000_000 + bytes(7) + b"\1"
    else:
        data = b"P3 2000 2000 255\n" + b"1 2 3 " * 100
    with pytest.raises(ImageTooLarge, match="1,000,000"):
        decode(data)


@pytest.mark.parametrize(("format", "share"), [("WEBP", 18), ("AVIF", 15)])
def test_formats_that_take_more_memory_may_have_fewer_pixels(format: str, share: int) -> None:
    data = encoded(Image.new("RGB", (1000, 800)), format)
    most = 9 * 800_000 // share
    assert decode(data, Limits(max_pixels=800_000 * share // 9 + 1)).width == 1000
    with pytest.raises(ImageTooLarge, match=f"the limit of {format} is {most:,}"):
        decode(data, Limits(max_pixels=800_000))


def test_a_large_jpeg_2000_is_decoded_at_a_fraction() -> None:
    image = photograph("coffee.png", 600).resize((2000, 1334))
    data = encoded(image, "JPEG2000")
    assert (jpeg2000.depth(data), jpeg2000.levels(data)) == (8, 5)
    picture = decode(data, Limits(max_pixels=2_000_000))
    assert (picture.width, picture.height) == image.size
    difference = decode(data).luma_square().astype(int) - picture.luma_square()
    assert np.abs(difference).mean() < 2
    with pytest.raises(ImageTooLarge):
        decode(data, Limits(max_pixels=10_000))


def test_a_bitmap_without_its_file_header_is_read() -> None:
    photo = photograph()
    raw = encoded(photo, "DIB")
    assert raw[:2] != b"BM"
    assert decode(raw).pixels == decode(encoded(photo)).pixels


@given(some.binary(max_size=200) | some.builds(lambda b: b"\0\0\1\0\5\0" + b, some.binary(max_size=100)))
def test_any_bytes_are_named_or_not(data: bytes) -> None:
    icon.sizes(data)
    icon.has_run_lengths(data)
    jpeg2000.depth(data)
    jpeg2000.levels(data)
    assert "\n" not in formats.unread(data)


KINDS = {
    "HEIC": (
        struct.pack(">I", 24) + b"ftypheic" + bytes(4) + b"mif1heic",
        "a HEIC picture",
        "facsimile[heic]",
    ),
    "JPEG XL": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL picture", "convert"),
    "JPEG XL, bare": (b"\xff\x0a\x00", "a JPEG XL picture", "convert"),
    "Photoshop": (b"8BPS\0\1", "a Photoshop document", "convert"),
    "SVG": (b'<?xml version="1.0"?>\n<!-- a <b> -->\n<svg width="1">', "an SVG drawing", "convert"),
    "SVG with a prefix": (b'<svg:svg xmlns:svg="">', "an SVG drawing", "convert"),
    "PDF": (b"%PDF-1.7\n", "a PDF document", "export"),
    "web page": (b"\xef\xbb\xbf  <!DOCTYPE html><html>", "a web page", "address of the image"),
    "RAW of Fujifilm": (b"FUJIFILMCCD-RAW 0201", "a camera RAW picture", "convert"),
    "RAW of Canon": (struct.pack(">I", 24) + b"ftypcrx ", "a camera RAW picture", "convert"),
    "video": (struct.pack(">I", 24) + b"ftypisom", "a video", "frames"),
    "archive": (b"PK\3\4", "an archive", "unpack"),
    "XML": (b"<?xml version='1.0'?><Error>", "an XML document", ""),
    "text": (b"a text", "not in a supported image format", ""),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_read_is_named(kind: str) -> None:
    beginning, name, remedy = KINDS[kind]
    if kind == "HEIC":
        try:
            import pillow_heif  # noqa: F401
        except ImportError:
            pass
        else:
            pytest.skip("its reader is installed")
    with pytest.raises(NotAnImage) as raised:
        decode(beginning + bytes(400))
    assert name in str(raised.value) and remedy in str(raised.value)


def test_a_camera_raw_in_a_tiff_is_not_taken_for_its_preview() -> None:
    preview = photograph().resize((160, 120))
    for tags in ({254: 1, 330: (8,)}, {50706: b"\1\4\0\0"}):
        with pytest.raises(NotAnImage, match="camera RAW"):
            decode(encoded(preview, "TIFF", tiffinfo=tags))


@given(some.text(alphabet="<!-> \n?xmlsvg\"'", max_size=4000))
@settings(max_examples=50, deadline=1000)
def test_no_text_makes_the_names_slow(text: str) -> None:
    formats.unread(text.encode())
    formats.unread(b"<!---->" * 500 + text.encode())


def test_the_library_behind_tiff_prints_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 400), np.uint8)
    damaged = bytearray(encoded(Image.fromarray(noise), "TIFF", compression="tiff_adobe_deflate"))
    damaged[2000:2100] = bytes(100)
    with pytest.raises(BrokenImage):
        decode(bytes(damaged))
    assert capfd.readouterr() == ("", "")
