"""A digest of all that a file shows, so that files that show the same are known as identical.

It covers every frame and page, every sample at its full depth, and transparency; not how a file codes them.
Files that are too long for that, or that cannot be read here in their full depth, are identical to files of
the same bytes only: their digest is that of the bytes.

The first half of a digest is that of the first frame, so that it shows which files begin alike; the second
half is that of all frames.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from PIL import Image
from PIL.ImageFile import ImageFile

from facsimile.imaging.decode import jpeg, jpeg2000
from facsimile.imaging.decode.colours import changes_colours, strips
from facsimile.imaging.record import FIRST_FRAME

#: frames and pages that are compared, and the pixels of all of them together
MOST_FRAMES = 250
MOST_PIXELS = 25_000_000

#: modes whose samples are compared as they are stored
_AS_STORED = ("RGB", "CMYK", "I", "F")

_BYTE = 8
_BITS_PER_SAMPLE = 258

Turn = Callable[[Image.Image], Image.Image]


def of_bytes(data: bytes) -> str:
    """For a file that is identical to the same bytes alone."""
    return hashlib.sha256(data).hexdigest()


def of_jpeg(data: bytes, image: Image.Image, orientation: int) -> str:
    """For a JPEG that is decoded at a fraction of its size: a digest of what is coded in it.

    Of the same pixels, coded in another way, it is another one: to compare them would mean to decode them.
    """
    digest = jpeg.coded_picture(data)
    digest.update(f"orientation {orientation}".encode())
    _add_profile(digest, image)
    return _joined([digest.digest()])


def of_image(image: Image.Image, turned: Turn) -> str:
    """For a picture of one frame; `turned` makes it upright."""
    return _joined([_frame(turned(image))])


def of_frames(image: ImageFile, data: bytes, turned: Turn) -> str | None:
    """For an animation or a file of several pages, as it was just opened; None where it is too long."""
    frames: list[bytes] = []
    pixels = 0
    for number in range(MOST_FRAMES + 1):
        try:
            image.seek(number)
        except EOFError:
            return _joined(frames)
        pixels += image.width * image.height
        if number == MOST_FRAMES or pixels > MOST_PIXELS or not has_full_depth(image, data):
            return None
        image.load()
        frames.append(_frame(turned(image)))
    return None


def _joined(frames: list[bytes]) -> str:
    """The digest of a file from those of its frames."""
    return frames[0].hex()[:FIRST_FRAME] + hashlib.sha256(b"".join(frames)).hexdigest()[FIRST_FRAME:]


def _frame(image: Image.Image) -> bytes:
    digest = hashlib.sha256()
    _add_profile(digest, image)
    transparent = image.has_transparency_data
    if transparent:
        image = image.convert("RGBA")
        transparent = image.getchannel("A").getextrema() != (255, 255)
    mode = "RGBa" if transparent else image.mode if image.mode in _AS_STORED else _mode(image)
    digest.update(f"{image.width}x{image.height} {mode}".encode())
    for strip in strips(image):
        # RGBa: what nobody can see through its transparency is zero
        digest.update((strip if strip.mode == mode else strip.convert(mode)).tobytes())
    return digest.digest()


def _mode(image: Image.Image) -> str:
    return "I;16" if image.mode.startswith("I;16") else "RGB"


def _add_profile(digest: hashlib._Hash, image: Image.Image) -> None:
    profile = image.info.get("icc_profile") or b""
    if changes_colours(profile, image.mode):
        digest.update(hashlib.sha256(profile).digest())


def has_full_depth(image: ImageFile, data: bytes) -> bool:
    """Whether the samples of an image, not yet loaded, are read at their full depth: Pillow has no mode for
    colours of more than 8 bits."""
    deep = False
    match "" if image.mode.startswith(("I", "F")) else image.format:
        case "TIFF":
            depths = getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, (1,))
            deep = max(depths) > _BYTE or len(depths) > len(image.getbands())
        case "PNG":
            deep = any("16" in str(tile.args) for tile in image.tile)
        case "PPM":
            deep = any(isinstance(tile.args, tuple) and int(tile.args[-1]) > 255 for tile in image.tile)
        case "JPEG2000":
            deep = jpeg2000.depth(data) > _BYTE
        case "AVIF":
            deep = _has_flag(data, b"av1C", 2, 0x40)  # high_bitdepth
        case "HEIF":
            deep = _has_flag(data, b"hvcC", 17, 0x07)  # bit_depth_luma_minus8
    return not deep


def _has_flag(data: bytes, box: bytes, at: int, mask: int) -> bool:
    """Whether a byte in the content of the first box of this type has one of these bits."""
    start = data.find(box)
    position = start + len(box) + at
    return start >= 0 and position < len(data) and bool(data[position] & mask)
