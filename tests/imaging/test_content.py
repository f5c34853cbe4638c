"""Which files are identical: those that show the same in every frame, at full depth, in every pixel."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from facsimile.imaging.decode import content, decode
from facsimile.imaging.describe import describe
from facsimile.imaging.record import begins_alike
from tests.support.pictures import encoded, photograph, wide_profile


def frames(*images: Image.Image, format: str, **options: object) -> bytes:
    first, *others = (image.copy() for image in images)  # Pillow leaves the options of one format in an image
    return encoded(first, format, save_all=True, append_images=others, **options)


def flat(colour: Any, size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


def logo(shape: str) -> Image.Image:
    image = Image.new("RGBA", (400, 200), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    if shape == "disc":
        draw.ellipse((120, 20, 280, 180), fill="white")
    else:
        draw.rectangle((40, 60, 360, 90), fill="white")
        draw.rectangle((180, 20, 210, 190), fill="white")
    return image


def low(centre: int) -> Image.Image:
    """16-bit samples as a microscope gives them in low light."""
    y, x = np.mgrid[:120, :160]
    return Image.fromarray((120 + 100 * np.cos(np.hypot(x - centre, y - 60) / 9)).astype(np.uint16))


def changed(image: Image.Image, colour: Any, size: int = 1) -> Image.Image:
    image = image.copy()
    image.paste(
        colour, (image.width // 3, image.height // 3, image.width // 3 + size, image.height // 3 + size)
    )
    return image


def floats(add: float) -> Image.Image:
    values = np.asarray(photograph().convert("L")).astype(np.float32)
    values[5, 5] += add
    return Image.fromarray(values)


FIRST, A, B = photograph().convert("RGB"), flat("navy", (400, 266)), flat("green", (400, 266))
LARGE = photograph("coffee.png", 600).resize((2400, 1600))


def deep_png(low_byte: int) -> bytes:
    """A PNG with 16 bits of each colour."""
    import struct
    import zlib

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    row = b"\0" + bytes((200, low_byte)) * 3 * 40
    header = struct.pack(">IIBBBBB", 40, 30, 16, 2, 0, 0, 0)
    rows = zlib.compress(row * 30)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


DIFFERENT = {
    "white logos": (encoded(logo("disc")), encoded(logo("cross"))),
    "16 bits of a small range": (encoded(low(40), "TIFF"), encoded(low(110), "TIFF")),
    "16 bits, the last one": (
        encoded(Image.fromarray(np.full((30, 40), 4000, np.uint16))),
        encoded(Image.fromarray(np.full((30, 40), 4001, np.uint16))),
    ),
    "float": (encoded(floats(0), "TIFF"), encoded(floats(0.001), "TIFF")),
    "colours of 16 bits": (deep_png(0), deep_png(1)),
    "second page": (frames(FIRST, A, format="TIFF"), frames(FIRST, B, format="TIFF")),
    "one page more": (encoded(FIRST, "TIFF"), frames(FIRST, A, format="TIFF")),
    "order of pages": (frames(FIRST, A, B, format="TIFF"), frames(FIRST, B, A, format="TIFF")),
    "second frame of a GIF": (frames(FIRST, A, format="GIF"), frames(FIRST, B, format="GIF")),
    "second frame of a PNG": (frames(FIRST, A, format="PNG"), frames(FIRST, B, format="PNG")),
    "second frame of a WebP": (
        frames(FIRST, A, format="WEBP", lossless=True),
        frames(FIRST, B, format="WEBP", lossless=True),
    ),
    "second frame of an AVIF": (frames(FIRST, A, format="AVIF"), frames(FIRST, B, format="AVIF")),
    "second picture of an MPO": (frames(FIRST, A, format="MPO"), frames(FIRST, B, format="MPO")),
    "colours of one brightness": (
        encoded(changed(LARGE, (255, 0, 0), 9)),
        encoded(changed(LARGE, (0, 130, 0), 9)),
    ),
    "one pixel of a large picture": (encoded(LARGE), encoded(changed(LARGE, (9, 9, 9)))),
    "a large JPEG": (
        encoded(LARGE, "JPEG", quality=95),
        encoded(changed(LARGE, (255, 255, 255), 2), "JPEG", quality=95),
    ),
    "transparency": (
        encoded(Image.merge("RGBA", (*FIRST.split(), Image.new("L", FIRST.size, 255)))),
        encoded(Image.merge("RGBA", (*FIRST.split(), Image.new("L", FIRST.size, 128)))),
    ),
    "colour profile": (encoded(FIRST), encoded(FIRST, icc_profile=wide_profile())),
    "smaller pictures of an icon": (
        encoded(FIRST.resize((64, 64)), "ICO", sizes=[(64, 64)]),
        encoded(FIRST.resize((64, 64)), "ICO", sizes=[(64, 64), (16, 16)]),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENT)
def test_files_that_differ_in_what_they_show_are_not_identical(name: str) -> None:
    first, second = (describe(data) for data in DIFFERENT[name])
    assert first.pixels != second.pixels
    assert describe(DIFFERENT[name][0]).pixels == first.pixels


def turned(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(FIRST.transpose(Image.Transpose.ROTATE_90), exif=exif)


def hidden(colour: Any) -> Image.Image:
    """A picture of which half cannot be seen."""
    image = FIRST.convert("RGBA")
    image.paste((*Image.new("RGB", (1, 1), colour).getpixel((0, 0)), 0), (0, 0, 200, 266))
    return image


SMALL_JPEG = encoded(photograph(longest=300), "JPEG", quality=85)
LARGE_JPEG = encoded(LARGE, "JPEG", quality=85)

SAME: dict[str, Sequence[bytes]] = {
    "lossless formats": (
        encoded(FIRST),
        encoded(FIRST, compress_level=1),
        encoded(FIRST, "BMP"),
        encoded(FIRST, "TIFF", compression="tiff_lzw"),
        encoded(FIRST, "WEBP", lossless=True),
        encoded(FIRST, "PPM"),
        encoded(FIRST.convert("RGBA")),
    ),
    "large ones": (encoded(LARGE, compress_level=1), encoded(LARGE, "BMP")),
    "gray": tuple(encoded(FIRST.convert("L").convert(mode)) for mode in ("L", "RGB", "LA")),
    "palette": (encoded(FIRST.quantize(64)), encoded(FIRST.quantize(64).convert("RGB"))),
    "16 bits": (encoded(low(40), "TIFF"), encoded(low(40))),
    "what nobody can see": (
        encoded(hidden("red")),
        encoded(hidden("black")),
        encoded(hidden("red"), "WEBP", lossless=True),
    ),
    "turned by its metadata": (encoded(FIRST), turned(6)),
    "animations": (
        frames(FIRST, A, B, format="PNG"),
        frames(FIRST, A, B, format="WEBP", lossless=True),
    ),
    "pages": (frames(FIRST, A, format="TIFF"), frames(FIRST, A, format="TIFF", description="mine")),
    "a small JPEG": (SMALL_JPEG, encoded(Image.open(io.BytesIO(SMALL_JPEG)))),
    "metadata of a large JPEG": (
        LARGE_JPEG,
        encoded(LARGE, "JPEG", quality=85, comment="mine", exif=Image.Exif()),
        LARGE_JPEG + b"what follows",
        encoded(LARGE, "JPEG", quality=85, xmp=b"<x/>"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SAME)
def test_files_that_show_the_same_are_identical(name: str) -> None:
    assert len({describe(data).pixels for data in SAME[name]}) == 1


def test_what_is_too_long_is_identical_to_the_same_bytes_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    animation = frames(FIRST, A, B, format="GIF")
    compared = describe(animation)
    assert compared.pixels != compared.sha256
    monkeypatch.setattr(content, "MOST_PIXELS", 2 * FIRST.width * FIRST.height)
    refused = describe(animation)
    assert refused.pixels == refused.sha256
    monkeypatch.undo()
    monkeypatch.setattr(content, "MOST_FRAMES", 2)
    assert describe(animation).pixels == refused.sha256


def test_a_damaged_later_frame_spoils_nothing_but_the_comparison() -> None:
    cut = frames(FIRST, photograph("coffee.png").resize(FIRST.size), format="TIFF")[:-1000]
    described = describe(cut)
    np.testing.assert_array_equal(decode(cut).rgb, np.asarray(FIRST))
    assert described.pixels == described.sha256


# -- what is seen on which ground ---------------------------------------------------------------------------


def test_white_logos_are_seen_on_black() -> None:
    disc, cross = (describe(encoded(logo(shape))) for shape in ("disc", "cross"))
    assert disc.quality and cross.quality
    rgb = decode(encoded(logo("disc"))).rgb
    assert rgb[0, 0].tolist() == [0, 0, 0] and rgb[100, 200].tolist() == [255, 255, 255]


@pytest.mark.parametrize("fill", ["black", "red", "#808080"])
def test_other_logos_are_seen_on_white(fill: str) -> None:
    image = Image.new("RGBA", (400, 200), (255, 255, 255, 0))
    ImageDraw.Draw(image).ellipse((120, 20, 280, 180), fill=fill)
    ImageDraw.Draw(image).rectangle((0, 0, 40, 40), fill="white")
    assert decode(encoded(image)).rgb[0, 399].tolist() == [255, 255, 255]


@pytest.mark.parametrize("alpha", [0, 1])
def test_what_is_all_but_invisible_stays_on_white(alpha: int) -> None:
    assert decode(encoded(Image.new("RGBA", (40, 30), (255, 255, 255, alpha)))).rgb.min() >= 250


@pytest.mark.parametrize("format", ["TIFF", "GIF", "PNG"])
def test_the_digest_shows_whether_files_begin_alike(format: str) -> None:
    alone, a, b = (encoded(FIRST, format), *(frames(FIRST, other, format=format) for other in (A, B)))
    first, second, third = (describe(data).pixels for data in (alone, a, b))
    assert begins_alike(second, third)
    assert begins_alike(first, second) or format == "GIF", "an animated GIF has another palette"
    assert not begins_alike(second, second)
    assert not begins_alike(second, describe(frames(A, FIRST, format=format)).pixels)
