"""Bytes to one upright picture, under limits: the only home of Pillow.

A signature needs few pixels, so large pictures are read small: JPEG by scaled decoding (libjpeg drops whole
DCT coefficients), other formats by averaging blocks. The shorter side stays at least `WORKING_SIDE` pixels,
four times the side of the luma square that is hashed: with less, hashes depend on the way of decoding.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib
import io
import re
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError

from imaging.errors import BrokenImage, EmptyImage, ImageTooLarge, NotAnImage
from imaging.margins import Box

#: the shorter side of the working raster is at least this, where the picture has as much
WORKING_SIDE = 256

#: side of the luma square that is hashed
LUMA_SIDE = 64

#: longest side of a thumbnail
THUMBNAIL_SIDE = 320

#: a JPEG of a thumbnail's size serves as its own thumbnail up to this many bytes
THUMBNAIL_BYTES = 32 * 1024

#: formats that Pillow reads by itself, without starting another program, and the plugins behind them
_PLUGINS = {
    "JPEG": "Jpeg",
    "PNG": "Png",
    "GIF": "Gif",
    "WEBP": "WebP",
    "TIFF": "Tiff",
    "BMP": "Bmp",
    "AVIF": "Avif",
    "JPEG2000": "Jpeg2K",
    "PPM": "Ppm",
    "QOI": "Qoi",
    "ICO": "Ico",
}

#: what undoes each EXIF orientation
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What one image may cost. Decoding takes up to some 9 bytes of memory per pixel.

    Pillow's own limit, twice `PIL.Image.MAX_IMAGE_PIXELS` (179 million pixels unless changed), counts too.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 100_000_000


@dataclass(frozen=True, eq=False)
class Picture:
    """One decoded picture, upright and in sRGB. `width` and `height` are those of the original, `format` is
    Pillow's name of the format; the arrays are those of the working raster, which may be smaller."""

    width: int
    height: int
    format: str
    _raster: Image.Image  # mode RGB, or L for gray
    _as_stored: bool  # the file's own pixels are those of the raster: not turned, no other colours

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """The working raster, uint8 [H, W, 3]."""
        return np.asarray(self._raster.convert("RGB"))

    @cached_property
    def _gray(self) -> Image.Image:
        return self._raster if self._raster.mode == "L" else self._raster.convert("L")

    @cached_property
    def luma(self) -> NDArray[np.uint8]:
        """The brightness (ITU-R 601) of the working raster, uint8 [H, W]."""
        return np.asarray(self._gray)

    @cached_property
    def small(self) -> Picture:
        """The picture as its thumbnail shows it, its working raster at most 320 pixels a side."""
        if max(self._raster.size) <= THUMBNAIL_SIDE:
            return self
        raster = self._raster.resize(_within(self._raster, THUMBNAIL_SIDE), Image.Resampling.BILINEAR)
        return dataclasses.replace(self, _raster=raster, _as_stored=False)

    def luma_square(self, box: Box | None = None) -> NDArray[np.uint8]:
        """The luma, or the part of it inside the box, as area averages: uint8 [64, 64]."""
        return np.asarray(self._gray.resize((LUMA_SIDE, LUMA_SIDE), Image.Resampling.BOX, box))

    def square(self, side: int) -> NDArray[np.uint8]:
        """The colours squashed to a square by area averages: uint8 [side, side, 3]."""
        return np.asarray(self._raster.resize((side, side), Image.Resampling.BOX).convert("RGB"))

    @cached_property
    def pixels(self) -> str:
        """What identical pictures share, whatever file they came in: 64 hexadecimal digits.

        SHA-256 over the size, the luma of every pixel of the working raster and the colours of a grid of
        64x64 pixels. All colours of all pixels would cost a third of the decoding again, and tell nothing
        more about edits that occur: a change of colour that leaves the rounded luma of each pixel and the
        whole grid as they are.
        """
        grid = self._raster.resize((64, 64), Image.Resampling.NEAREST).convert("RGB")
        digest = hashlib.sha256(f"{self.width}x{self.height}".encode())
        digest.update(self.luma.data)
        digest.update(grid.tobytes())
        return digest.hexdigest()


def decode(data: bytes, limits: Limits | None = None) -> Picture:
    """Read one image: its first frame or page, turned upright, transparency on white, colours in sRGB.

    Raises EmptyImage, NotAnImage, BrokenImage or ImageTooLarge; each names the reason in one sentence.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyImage("the image has zero bytes")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"the image has {len(data):,} bytes; the limit is {limits.max_bytes:,}")
    with _no_warnings():
        image = _open(data)
        format = "JPEG" if image.format == "MPO" else image.format or ""
        if image.width * image.height > limits.max_pixels:
            size = f"{image.width:,}x{image.height:,}"
            raise ImageTooLarge(f"the image has {size} pixels; the limit is {limits.max_pixels:,}")
        try:
            (width, height), raster, as_stored = _read(image)
        except (MemoryError, Image.DecompressionBombError) as error:
            raise ImageTooLarge(f"the {format} image needs too much memory") from error
        except Exception as error:  # the plugins raise whatever the bytes lead them to
            raise BrokenImage(f"the {format} image is damaged or cut short ({error})") from error
    return Picture(width, height, format, raster, as_stored)


def thumbnail(picture: Picture, data: bytes) -> bytes:
    """A JPEG of at most 320 pixels a side, without metadata.

    A small JPEG serves itself, less what is not the picture: to encode it again would take longer than
    decoding, and lose quality.
    """
    if picture._as_stored and max(picture.width, picture.height) <= THUMBNAIL_SIDE:
        bare = _bare_jpeg(data)
        if bare is not None:
            return bare
    encoded = io.BytesIO()
    picture.small._raster.save(encoded, "JPEG", quality=85)
    return encoded.getvalue()


def shrunk(jpeg: bytes, side: int) -> bytes:
    """A thumbnail as a smaller one, at most so many pixels a side; one that is as small already as it is."""
    with Image.open(io.BytesIO(jpeg), formats=("JPEG",)) as image:
        if max(image.size) <= side:
            return jpeg
        size = _within(image, side)
        image.draft(None, size)  # a JPEG is decoded at a half or a quarter in as much less time
        small = image.resize(size, Image.Resampling.BILINEAR)
        encoded = io.BytesIO()
        small.save(encoded, "JPEG", quality=75)
    return encoded.getvalue()


def _within(image: Image.Image, side: int) -> tuple[int, int]:
    """The size of an image that is made so small that its longest side is this."""
    scale = side / max(image.size)
    return max(1, round(image.width * scale)), max(1, round(image.height * scale))


#: what stands between the scans of a picture, and can hold neither words nor coordinates
_PICTURE_SEGMENTS = frozenset((0xC0, 0xC1, 0xC2, 0xC4, 0xDA, 0xDB, 0xDD))

#: the end of the compressed data of a scan: a marker that is neither a stuffed byte nor a restart
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")

_END = b"\xff\xd9"


def _bare_jpeg(data: bytes) -> bytes | None:
    """The JPEG without the segments for words, coordinates, profiles and previews, and without what follows
    its end; None where it is large or unusual and has to be encoded anew."""
    kept = [b"\xff\xd8"]
    position = 2
    while data[position : position + 1] == b"\xff" and data[position : position + 2] != _END:
        marker, length = data[position + 1], int.from_bytes(data[position + 2 : position + 4])
        end = position + 2 + length
        if marker == 0xEE or length < 2:  # Adobe's segment may say that the colours are not YCbCr
            return None
        if marker in _PICTURE_SEGMENTS or (marker == 0xE0 and length == 16):  # JFIF without a preview
            if marker == 0xDA:
                scan = _AFTER_SCAN.search(data, end)
                if scan is None:
                    return None
                end = scan.start()
            kept.append(data[position:end])
        elif not 0xE0 <= marker <= 0xEF and marker != 0xFE:
            return None
        position = end
    if data[position : position + 2] != _END:
        return None
    bare = b"".join([*kept, _END])
    return bare if len(bare) <= THUMBNAIL_BYTES else None


@lru_cache(maxsize=1)
def _formats() -> list[str]:
    """The formats to try; loading just their plugins keeps Pillow from loading all that it has."""
    for plugin in _PLUGINS.values():
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    try:
        import pillow_heif
    except ImportError:
        return list(_PLUGINS)
    pillow_heif.register_heif_opener()
    return [*_PLUGINS, "HEIF"]


def _open(data: bytes) -> Image.Image:
    """Read the header."""
    try:
        return Image.open(io.BytesIO(data), formats=_formats())
    except Image.DecompressionBombError as error:
        raise ImageTooLarge("the image has more than 179 million pixels, Pillow's own limit") from error
    except Exception as error:
        for name in _formats():
            accept = Image.OPEN[name][1]
            if accept is not None and accept(data[:16]):
                raise BrokenImage(f"the {name} image is damaged or cut short in its header") from error
        if isinstance(error, UnidentifiedImageError):
            raise NotAnImage("the bytes are in no image format that can be read here") from error
        raise BrokenImage(f"the image is damaged or cut short ({error})") from error


def _read(image: Image.Image) -> tuple[tuple[int, int], Image.Image, bool]:
    """The upright size of the original, the working raster in mode RGB or L, and whether those are the very
    pixels and colours of the file."""
    drafted_from = image.size
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (WORKING_SIDE, WORKING_SIDE))
        image.load()
        size = drafted_from
    else:
        image.load()
        size = image.size  # an icon or a turned TIFF knows its size only now
    orientation = _orientation(image)
    profile = image.info.get("icc_profile")
    raster = _in_srgb(_opaque(_reduced(_continuous(image))), profile)
    if orientation != 1:
        raster = raster.transpose(_UPRIGHT[orientation])
    raster.info.clear()  # or thumbnails would carry comments and profiles
    as_stored = raster is image and size == image.size
    return (size[::-1] if orientation >= 5 else size), raster, as_stored


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read."""
    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata does not spoil a picture
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _continuous(image: Image.Image) -> Image.Image:
    """The image in a mode whose values can be averaged."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):  # no scale is agreed on, and a hash asks for none
        values = np.nan_to_num(np.asarray(image, dtype=np.float64), posinf=0.0, neginf=0.0)
        low, high = values.min(), values.max()
        return Image.fromarray(((values - low) * (255 / max(high - low, 1e-300))).astype(np.uint8))
    if "transparency" in image.info:  # one colour of an opaque mode stands for transparent
        return image.convert("RGBA")
    return image


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // WORKING_SIDE
    return image.reduce(factor) if factor > 1 else image


def _opaque(image: Image.Image) -> Image.Image:
    """The image on white where it is transparent, in mode L, RGB or CMYK."""
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        white.alpha_composite(image.convert("RGBA"))
        return white.convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB; a profile that is damaged or does not fit counts as none."""
    if profile and b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile:
        try:
            converted = ImageCms.applyTransform(image, _transform(profile, image.mode))
        except Exception:  # damaged metadata does not spoil a picture
            converted = None
        if converted is not None:
            return converted
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    """To build a transform takes longer than to apply it, and most pictures share few profiles."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")


class _Warnings:
    """Pillow's warnings are off while any thread decodes: a filter per call would not survive threads, which
    restore each other's."""

    lock = threading.Lock()
    decoding = 0
    before = warnings.catch_warnings()


@contextmanager
def _no_warnings() -> Iterator[None]:
    with _Warnings.lock:
        if _Warnings.decoding == 0:
            _Warnings.before = warnings.catch_warnings()
            _Warnings.before.__enter__()
            warnings.filterwarnings("ignore", module=r"PIL\.")
        _Warnings.decoding += 1
    try:
        yield
    finally:
        with _Warnings.lock:
            _Warnings.decoding -= 1
            if _Warnings.decoding == 0:
                _Warnings.before.__exit__(None, None, None)
