"""Bytes to pictures: every format and mode, and what is no picture."""

from __future__ import annotations

import struct
import warnings
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from facsimile.imaging.decode import Limits, decode, thumbnail
from facsimile.imaging.describe import describe
from facsimile.imaging.distance import hamming
from facsimile.imaging.errors import BrokenImage, EmptyImage, ImageError, ImageTooLarge, NotAnImage
from tests.support.pictures import encoded, photograph, wide_profile

LOSSLESS: dict[str, Any] = {
    "PNG": {},
    "BMP": {},
    "TIFF": {"compression": "tiff_lzw"},
    "WEBP": {"lossless": True},
    "PPM": {},
    "QOI": {},
}
LOSSY: dict[str, Any] = {
    "JPEG": {"quality": 90},
    "WEBP": {"quality": 85},
    "AVIF": {"quality": 85},
    "GIF": {},
    "JPEG2000": {"quality_mode": "rates", "quality_layers": [12]},
}


def distance(a: bytes, b: bytes) -> int:
    return int(hamming(describe(a).bits, describe(b).bits))


def error_of(data: bytes) -> ImageError:
    with pytest.raises(ImageError) as raised:
        decode(data)
    sentence = str(raised.value)
    assert sentence and "\n" not in sentence and "BytesIO" not in sentence
    return raised.value


@pytest.mark.parametrize("format", LOSSLESS)
def test_a_lossless_format_gives_the_very_picture(format):
    photo = photograph()
    picture = decode(encoded(photo, format, **LOSSLESS[format]))

    assert (picture.width, picture.height, picture.format) == (*photo.size, format)
    np.testing.assert_array_equal(picture.rgb, np.asarray(photo))
    assert picture.pixels == decode(encoded(photo)).pixels


@pytest.mark.parametrize("format", LOSSY)
def test_a_lossy_format_gives_nearly_the_same_hash(format):
    assert distance(encoded(photograph(), format, **LOSSY[format]), encoded(photograph())) <= 8


def test_heic_where_its_library_is_installed():
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.register_heif_opener()
    heic = encoded(photograph(), "HEIF", quality=85)
    assert decode(heic).format == "HEIF"
    assert distance(heic, encoded(photograph())) <= 8


def test_an_icon_gives_its_largest_picture():
    square = photograph().resize((128, 128))
    picture = decode(encoded(square, "ICO", sizes=[(32, 32), (128, 128)]))
    assert (picture.width, picture.height) == (128, 128)
    np.testing.assert_array_equal(picture.rgb, np.asarray(square))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["GIF", "PNG", "WEBP", "TIFF"])
def test_the_first_of_many_frames_counts(format):
    first = photograph().quantize(64).convert("RGB")
    others = [photograph("coffee.png").resize(first.size)] * 30
    options = {"lossless": True} if format == "WEBP" else {}
    animated = encoded(first, format, save_all=True, append_images=others, **options)
    np.testing.assert_array_equal(decode(animated).rgb, np.asarray(first))


def modes() -> dict[str, tuple[Image.Image, int]]:
    """Pictures in other modes, each with the distance from the original that the mode itself brings."""
    photo = photograph()
    luma = np.asarray(photo.convert("L"))
    palette_with_alpha = photo.quantize(255)
    palette_with_alpha.info["transparency"] = 255
    opaque = photo.copy()
    opaque.putalpha(255)
    sixteen = luma.astype(np.uint16) * 257
    return {
        "gray": (photo.convert("L"), 4),
        "16 bits": (Image.fromarray(sixteen), 4),
        "32 bits": (Image.fromarray(luma.astype(np.int32) * 70_000), 4),
        "float": (Image.fromarray(luma.astype(np.float32) / 255), 4),
        "CMYK": (photo.convert("CMYK"), 4),
        "palette": (photo.quantize(128), 12),
        "palette, transparent": (palette_with_alpha, 12),
        "alpha": (opaque, 0),
        "gray, alpha": (opaque.convert("LA"), 4),
        "dithered to black and white": (photo.convert("1"), 40),
    }


@pytest.mark.parametrize("name", modes())
def test_every_mode_gives_the_hash_of_the_picture(name):
    image, most = modes()[name]
    format = "TIFF" if image.mode in ("F", "I", "CMYK") else "PNG"
    assert distance(encoded(image, format), encoded(photograph())) <= most


def test_sixteen_bits_are_scaled_not_clipped():
    ramp = np.tile(np.linspace(0, 65535, 256).astype(np.uint16), (64, 1))
    for format in ("PNG", "TIFF"):
        gray = decode(encoded(Image.fromarray(ramp), format)).rgb[0, :, 0]
        np.testing.assert_allclose(gray, np.arange(256), atol=1)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 14])
@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_sixteen_bits_that_hold_fewer_are_as_bright_as_the_picture(bits, format):
    luma = np.asarray(photograph().convert("L"))
    samples = luma.astype(np.uint16) << (bits - 8)
    samples[3, 3] = 65_535  # a hot pixel
    data = encoded(Image.fromarray(samples), format)
    assert np.abs(decode(data).luma.astype(int) - luma).mean() < 1
    assert describe(data).quality and distance(data, encoded(photograph())) <= 4


@pytest.mark.parametrize("values", [[1e6], [-1e6], [1e30, -1e30], [np.inf, -np.inf], [np.nan]], ids=str)
def test_a_few_wild_samples_do_not_blacken_a_picture(values):
    luma = np.asarray(photograph().convert("L"))
    samples = luma.astype(np.float32) / 255 + 5
    for position, value in enumerate(values):
        samples[7, 3 + 9 * position] = value
    data = encoded(Image.fromarray(samples), "TIFF")
    stretched = (luma - luma.min()) * (255 / np.ptp(luma))
    assert np.abs(decode(data).luma - stretched).mean() < 4
    assert distance(data, encoded(photograph())) <= 4


def test_a_few_bright_samples_of_a_dark_picture_are_the_picture():
    samples = np.zeros((200, 300), np.float32)
    samples[60:64, 60:64] = 1
    assert decode(encoded(Image.fromarray(samples), "TIFF")).luma.max() == 255


def test_a_preview_before_the_picture_is_not_taken_for_it():
    photo = photograph()
    preview = photo.resize((120, 80))
    tiff = encoded(preview, "TIFF", save_all=True, append_images=[photo.copy(), preview])
    picture = decode(tiff)
    assert (picture.width, picture.height) == photo.size
    np.testing.assert_array_equal(picture.rgb, np.asarray(photo))
    little = photo.resize((150, 140))
    read = decode(encoded(preview, "TIFF", save_all=True, append_images=[little]))
    assert (read.width, read.height) == little.size, "the larger of two small pages"
    larger = photo.resize((500, 332))
    pages = decode(encoded(photo.copy(), "TIFF", save_all=True, append_images=[larger]))
    assert (pages.width, pages.height) == photo.size, "the first page of a document"


def test_a_cmyk_jpeg_is_no_negative():
    photo = photograph()
    picture = decode(encoded(photo.convert("CMYK"), "JPEG", quality=95))
    difference = picture.rgb.astype(int) - np.asarray(photo)
    assert np.abs(difference).mean() < 6


def test_what_is_transparent_is_white():
    image = Image.new("RGBA", (40, 30), (255, 0, 0, 0))
    image.paste((0, 0, 255, 255), (10, 10, 20, 20))
    for transparent in (image, image.convert("LA"), image.convert("RGBa").convert("RGBA").quantize(8)):
        rgb = decode(encoded(transparent)).rgb
        assert rgb[0, 0].tolist() == [255, 255, 255]
        assert rgb[15, 15].max() < 256 and rgb[15, 15, 0] < 60


def test_the_colour_that_a_png_calls_transparent_is_white():
    image = Image.new("RGB", (20, 20), (10, 20, 30))
    image.paste((200, 0, 0), (0, 0, 10, 20))
    rgb = decode(encoded(image, "PNG", transparency=(10, 20, 30))).rgb
    assert rgb[5, 15].tolist() == [255, 255, 255]
    assert rgb[5, 5].tolist() == [200, 0, 0]


@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_are_undone(format, orientation):
    upright = photograph()
    lay = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if lay is None else upright.transpose(lay)
    exif = Image.Exif()
    exif[0x0112] = orientation
    lossless: dict[str, dict[str, Any]] = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}
    options = lossless.get(format, {})

    picture = decode(encoded(stored, format, exif=exif, **options))

    assert (picture.width, picture.height) == upright.size
    assert np.abs(picture.rgb.astype(int) - np.asarray(upright)).mean() < 4
    assert distance(encoded(stored, format, exif=exif, **options), encoded(upright)) <= 4


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00" + b"\xff" * 40, b"junk"]
)
def test_damaged_exif_is_ignored(exif):
    assert distance(encoded(photograph(), "JPEG", exif=exif), encoded(photograph())) <= 8


def test_a_colour_profile_is_applied():
    plain = Image.new("RGB", (64, 64), (220, 40, 10))
    rgb = decode(encoded(plain, "PNG", icc_profile=wide_profile())).rgb
    assert rgb[0, 0, 1] > 150 > rgb[0, 0, 0]


def linear_profile(name: str) -> bytes:
    """sRGB without its curve, under any name."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * struct.unpack(">I", profile[128:132])[0], 12):
        if profile[entry : entry + 4] in (b"rTRC", b"gTRC", b"bTRC"):
            (start,) = struct.unpack(">I", profile[entry + 4 : entry + 8])
            profile[start : start + 12] = b"curv" + bytes(8)
            profile[entry + 8 : entry + 12] = struct.pack(">I", 12)
        elif profile[entry : entry + 4] == b"desc":
            (start,) = struct.unpack(">I", profile[entry + 4 : entry + 8])
            text = name.encode("utf-16-be")
            profile[start + 28 : start + 28 + len(text)] = text
    return bytes(profile)


@pytest.mark.parametrize("name", ["linear sRGB", "a profile"])
def test_a_profile_is_known_by_what_it_does_and_not_by_its_name(name):
    gray = Image.new("RGB", (64, 64), (55, 55, 55))
    assert decode(encoded(gray, icc_profile=linear_profile(name))).rgb[0, 0, 0] == pytest.approx(128, abs=3)


def test_srgb_itself_changes_nothing():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with_profile, without = encoded(photograph(), icc_profile=profile), encoded(photograph())
    assert decode(with_profile).pixels == decode(without).pixels


@pytest.mark.parametrize("profile", [b"broken", wide_profile()[:200], b"\0" * 500])
@pytest.mark.parametrize("mode", ["RGB", "CMYK", "L"])
def test_a_broken_colour_profile_is_ignored(profile, mode):
    image = photograph().convert(mode)
    with_profile = encoded(image, "JPEG", icc_profile=profile)
    np.testing.assert_array_equal(decode(with_profile).rgb, decode(encoded(image, "JPEG")).rgb)


@pytest.mark.slow
@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_large_pictures_are_read_small_and_keep_their_hash(format):
    small = photograph("coffee.png", 600)
    large = small.resize((small.width * 5, small.height * 5), Image.Resampling.BICUBIC)
    picture = decode(encoded(large, format))

    assert (picture.width, picture.height) == large.size
    assert 256 <= min(picture.rgb.shape[:2]) < 512
    assert distance(encoded(large, format), encoded(small)) <= 8


def test_pixels_tell_pictures_apart():
    photo = photograph()
    one_pixel = photo.copy()
    one_pixel.putpixel((17, 23), (255, 0, 255))
    images = [photo, one_pixel, photo.convert("L"), photo.transpose(Image.Transpose.FLIP_LEFT_RIGHT)]
    blank = [Image.new("RGB", (60, 20), "red"), Image.new("RGB", (20, 60), "red")]
    digests = {decode(encoded(image)).pixels for image in images + blank}
    assert len(digests) == 6
    assert all(len(digest) == 64 for digest in digests)


def test_a_jpeg_without_its_metadata_has_the_same_pixels():
    plain = encoded(photograph(), "JPEG", quality=80)
    exif = Image.Exif()
    exif[0x010E] = "a description"
    assert plain != encoded(photograph(), "JPEG", quality=80, exif=exif, comment="mine")
    assert decode(plain).pixels == decode(encoded(photograph(), "JPEG", quality=80, exif=exif)).pixels
    assert decode(plain).pixels == decode(encoded(Image.fromarray(decode(plain).rgb))).pixels


# -- what is no picture ------------------------------------------------------------------------------------


def test_zero_bytes():
    assert isinstance(error_of(b""), EmptyImage)


@pytest.mark.parametrize(
    "data", [b"just a text file, called .jpg", b"\0" * 100, b"%PDF-1.7", b"%!PS-Adobe-3.0 EPSF"]
)
def test_other_files(data):
    assert isinstance(error_of(data), NotAnImage)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP", "TIFF", "BMP", "AVIF"])
@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_files_cut_short(format, share):
    whole = encoded(photograph(), format)
    assert isinstance(error_of(whole[: max(16, int(len(whole) * share))]), BrokenImage)


def png_of_size(width: int, height: int, rows: bytes) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [12_000, 60_000, 2**31 - 1])
def test_a_header_that_claims_too_many_pixels_is_refused_unread(side):
    assert isinstance(error_of(png_of_size(side, side, zlib.compress(b"\0" * 100))), ImageTooLarge)


def test_a_small_file_of_many_pixels_is_refused():
    bomb = encoded(Image.new("1", (11_000, 11_000)))
    assert len(bomb) < 100_000
    assert isinstance(error_of(bomb), ImageTooLarge)


def test_limits_are_the_callers():
    data = encoded(photograph())
    with pytest.raises(ImageTooLarge, match="pixels"):
        decode(data, Limits(max_pixels=1000))
    with pytest.raises(ImageTooLarge, match="bytes"):
        decode(data, Limits(max_bytes=1000))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode(encoded(Image.new("1", (9_600, 9_600))), Limits()).width == 9_600


# -- thumbnails --------------------------------------------------------------------------------------------


def thumbnail_of(data: bytes) -> bytes:
    return thumbnail(decode(data), data)


def test_a_small_jpeg_is_its_own_thumbnail():
    small = encoded(photograph(longest=300), "JPEG", quality=75)
    assert thumbnail_of(small) == small


@pytest.mark.parametrize("progressive", [False, True])
def test_a_small_jpeg_loses_nothing_but_its_metadata(progressive):
    small = encoded(photograph(longest=300), "JPEG", quality=75, comment="at home", progressive=progressive)
    made = thumbnail_of(small)
    assert b"at home" not in made
    assert np.array_equal(decode(made).rgb, decode(small).rgb)


def test_a_turned_jpeg_has_an_upright_thumbnail():
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(photograph(longest=300), "JPEG", quality=75, exif=exif.tobytes())
    assert hamming(describe(thumbnail_of(turned)).bits, describe(turned).bits) <= 4


@pytest.mark.parametrize(
    "data",
    [
        encoded(photograph(longest=300), "JPEG", exif=b"Exif\0\0taken at home", quality=75),
        encoded(photograph(longest=300), "JPEG", comment="taken at home", quality=75),
        encoded(photograph(longest=300), "JPEG", xmp=b"taken at home", quality=75),
        encoded(photograph(longest=300), "JPEG", quality=75) + b"taken at home",
        encoded(photograph(longest=300), "JPEG", quality=75) + b"taken at home\xff\xd9",
        encoded(photograph(longest=300), "PNG"),
        encoded(photograph(longest=450), "JPEG", quality=75),
        encoded(photograph(longest=300).convert("CMYK"), "JPEG", quality=75),
        encoded(photograph("coffee.png", 600), "WEBP"),
        encoded(Image.new("L", (2000, 3), 9), "PNG"),
    ],
    ids=["exif", "comment", "xmp", "tail", "tail like an end", "png", "large", "cmyk", "webp", "strip"],
)
def test_thumbnails_are_small_bare_jpegs(data):
    made = thumbnail_of(data)
    picture = decode(made)
    assert picture.format == "JPEG"
    assert max(picture.width, picture.height) <= 320
    assert b"taken at home" not in made
    original = decode(data)
    if original.height > 16:
        assert picture.width / picture.height == pytest.approx(original.width / original.height, rel=0.02)
        assert hamming(describe(made).bits, describe(data).bits) <= 8
