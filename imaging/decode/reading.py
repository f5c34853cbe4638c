"""Bytes to one upright picture, under limits.

A signature needs few pixels, so large pictures are read small: JPEG by scaled decoding (libjpeg drops whole
DCT coefficients), other formats by averaging blocks. The shorter side stays at least `WORKING_SIDE` pixels,
four times the side of the luma square that is hashed: with less, hashes depend on the way of decoding.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageChops, JpegImagePlugin, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from facsimile.imaging.decode import content, formats, icon, jpeg, jpeg2000, png
from facsimile.imaging.decode.colours import eight_bits, in_srgb, opaque
from facsimile.imaging.decode.decoded_image import DecodedImage
from facsimile.imaging.errors import BrokenImage, EmptyImage, ImageTooLarge, NotAnImage

#: the shorter side of the working raster is at least this, where the picture has as much
WORKING_SIDE = 256

#: pixels of all scans of a JPEG together, for each pixel that a picture may have: usual files have ten scans
#: at most, and each costs a pass over the whole picture
_SCANNED = 16

#: pixels of a format that Pillow decodes in Python: a second or two
SLOW_PIXELS = 1_000_000

#: pages of a TIFF among which the picture is looked for
_MOST_PAGES = 100

#: the first page of a TIFF is a preview where another has so many times its pixels, or more where its own
#: longer side is at most this
_PREVIEW = 2
_PREVIEW_SIDE = 320

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

_SUBFILE_TYPE, _PHOTOMETRIC, _SUB_IFDS, _DNG_VERSION = 254, 262, 330, 50706
_COLOUR_FILTER = 32803


@dataclass(frozen=True, slots=True)
class Limits:
    """What one image may cost.

    `max_pixels` counts the pixels that are decoded, at up to 9 bytes of memory each. Formats whose decoders
    take more have as many fewer, and a JPEG is decoded at down to an eighth of its width and height.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 100_000_000


def decode(data: bytes, limits: Limits | None = None, *, digest: bool = True) -> DecodedImage:
    """Read one image: its first frame (of a TIFF the first page that is no preview), turned upright, on white
    where it is transparent (on black where it shows only there), colours in sRGB.

    `digest` asks for `DecodedImage.pixels`, which needs a look at all frames and pages.
    Raises EmptyImage, NotAnImage, BrokenImage or ImageTooLarge; each names the reason in one sentence.
    """
    limits = limits or Limits()
    if not data:
        raise EmptyImage("the image has zero bytes")
    if len(data) > limits.max_bytes:
        raise ImageTooLarge(f"the image has {len(data):,} bytes; the limit is {limits.max_bytes:,}")
    if data.startswith(png.SIGNATURE):
        data = png.without_damaged_metadata(data)
    with _no_warnings():
        image = _open(data, limits)
        format = "JPEG" if image.format == "MPO" else image.format or ""
        try:
            return _read(image, data, limits, format, digest=digest)
        except (BrokenImage, ImageTooLarge, NotAnImage):
            raise
        except (MemoryError, Image.DecompressionBombError) as error:
            raise ImageTooLarge(f"the {format} image needs too much memory") from error
        except Exception as error:  # the plugins raise whatever the bytes lead them to
            raise _broken(format, data, error) from error


def _broken(format: str, data: bytes, error: Exception) -> BrokenImage:
    if format == "JPEG" and not jpeg.has_end(data):
        return BrokenImage("the JPEG image is damaged or cut short: its end is missing")
    return BrokenImage(f"the {format} image is damaged or cut short ({error})")


# -- opening: no pixel is decoded before the header has been checked ----------------------------------------


def _open(data: bytes, limits: Limits) -> ImageFile:
    """Read the header, and check it."""
    if data.startswith(jpeg.BEGINNING):
        _check_jpeg(data, limits)
    if data.startswith(icon.SIGNATURE):  # Pillow decodes an icon as it opens it
        _check_icon(data, limits)
    try:
        names = formats.readable()
        if data.startswith(jpeg.BEGINNING):  # not by `Image.open`, whose limit is on what is not decoded here
            image: ImageFile = JpegImagePlugin.jpeg_factory(io.BytesIO(data))
        else:
            image = Image.open(io.BytesIO(data), formats=names)
    except Image.DecompressionBombError as error:
        raise ImageTooLarge("the image has more than 179 million pixels, Pillow's own limit") from error
    except Exception as error:
        for name in names:
            if _begins_as(name, data):
                raise BrokenImage(f"the {name} image is damaged or cut short in its header") from error
        if isinstance(error, UnidentifiedImageError):
            raise NotAnImage(formats.unread(data)) from error
        raise BrokenImage(f"the image is damaged or cut short ({error})") from error
    if image.format not in ("JPEG", "MPO"):
        _check(image, data, limits)
    return image


def _begins_as(name: str, data: bytes) -> bool:
    """Whether bytes begin as a format does, by Pillow's word."""
    accept = Image.OPEN[name][1]
    try:
        return accept is not None and bool(accept(data[:16]))
    except Exception:  # some look at bytes that are not there
        return False


def _check_jpeg(data: bytes, limits: Limits) -> None:
    frame = jpeg.frame(data)
    if frame is None:
        raise BrokenImage("the JPEG image is damaged or cut short in its header")
    scale = _scale(frame.width, frame.height)
    _check_size(frame.width // scale, frame.height // scale, limits.max_pixels, f"at 1/{scale} of its size ")
    if frame.several_scans and frame.coefficients > limits.max_pixels * formats.USUAL_BYTES:
        raise ImageTooLarge(f"the JPEG image of {frame.width:,}x{frame.height:,} pixels in several scans "
                            "needs too much memory")  # fmt: skip
    scans = limits.max_pixels * _SCANNED // max(1, frame.width * frame.height)
    if scans < 1 or (frame.several_scans and jpeg.has_more_scans_than(data, scans)):
        raise ImageTooLarge(
            f"the JPEG image has more than {scans:,} scans of {frame.width:,}x{frame.height:,} pixels, "
            "which take too long"
        )


def _check_icon(data: bytes, limits: Limits) -> None:
    most = min(limits.max_pixels, SLOW_PIXELS) if icon.has_run_lengths(data) else limits.max_pixels
    for width, height in icon.sizes(data):
        _check_size(width, height, most)


def _check(image: ImageFile, data: bytes, limits: Limits) -> None:
    """Check the size of the present frame, at the cost of its format."""
    most = _most(image, limits)
    width, height = image.size
    if image.format == "JPEG2000":
        halved = 1 << _halvings(image, data, limits)
        width, height = -(-width // halved), -(-height // halved)
    _check_size(width, height, most, f"of {image.format} " if most < limits.max_pixels else "")


def _most(image: ImageFile, limits: Limits) -> int:
    """The pixels that an image of this format may have."""
    cost = formats.BYTES_A_PIXEL.get(image.format or "", formats.USUAL_BYTES)
    most = limits.max_pixels * formats.USUAL_BYTES // cost
    if any(tile.codec_name in Image.DECODERS for tile in getattr(image, "tile", ())):
        return min(most, SLOW_PIXELS)
    return most


def _check_size(width: int, height: int, most: int, kind: str = "") -> None:
    if width * height > most:
        raise ImageTooLarge(f"the image has {width:,}x{height:,} pixels; the limit {kind}is {most:,}")


def _scale(width: int, height: int) -> int:
    """The part of its width and height at which a JPEG is decoded."""
    wanted = min(width, height) // WORKING_SIDE
    return next((scale for scale in (8, 4, 2) if wanted >= scale), 1)


# -- reading ------------------------------------------------------------------------------------------------


def _read(image: ImageFile, data: bytes, limits: Limits, format: str, *, digest: bool) -> DecodedImage:
    size = image.size
    deep = content.has_full_depth(image, data)
    if format == "JPEG":
        image = _load_jpeg(image, data)
    elif format == "TIFF":
        _seek_picture(image, data, limits)
        image.load()
        size = image.size  # that of a turned one only now
    elif format == "JPEG2000":
        image.reduce = _halvings(image, data, limits)  # type: ignore[method-assign,assignment]
        image.load()
        image.reduce = 0  # type: ignore[method-assign,assignment]  # the method of all images again
    else:
        image.load()
        size = image.size  # an icon's, too
    orientation = _orientation(image)

    def upright(of: Image.Image) -> Image.Image:
        return of.transpose(_UPRIGHT[orientation]) if orientation != 1 else of

    reduced = image.size != size
    raster = upright(in_srgb(opaque(_reduced(eight_bits(image))), image.info.get("icc_profile")))
    pixels = ""
    if digest:
        with suppress(Exception):  # a later frame that is damaged does not spoil the first
            if format == "JPEG" and reduced and image.format != "MPO":
                pixels = content.of_jpeg(data, image, orientation)
            elif deep and not reduced and not _has_others(image, data):
                pixels = content.of_image(image, upright)
            elif deep and getattr(image, "is_animated", False) and image.format != "MPO":
                pixels = content.of_frames(_open(data, limits), data, upright) or ""
        pixels = pixels or content.of_bytes(data)
    as_stored = raster is image and not reduced
    raster.info.clear()  # or thumbnails would carry comments and profiles
    width, height = size[::-1] if orientation >= 5 else size
    return DecodedImage(width, height, format, raster, as_stored, pixels)


def _has_others(image: ImageFile, data: bytes) -> bool:
    """Whether the file holds more pictures than this one."""
    if image.format == "ICO":
        return len(icon.sizes(data)) > 1
    return bool(getattr(image, "is_animated", False))


def _load_jpeg(image: ImageFile, data: bytes) -> ImageFile:
    """Decode at a fraction of the size; also where nothing but the end marker is missing, as in panoramas of
    some telephones."""
    try:
        return _drafted(image)
    except OSError:
        if jpeg.has_end(data):
            raise
    ended, continued = (
        _drafted(JpegImagePlugin.JpegImageFile(io.BytesIO(ending))) for ending in jpeg.endings(data)
    )
    left, top, right, _ = ImageChops.difference(ended, continued).getbbox() or (0, 0, 0, 0)
    scale = _scale(*image.size)
    lost = (ended.width - left) * scale, (ended.height - top) * scale
    if right and (lost[0] > jpeg.LOST_COLUMNS or lost[1] > jpeg.LOST_LINES + scale):
        raise BrokenImage("the JPEG image is damaged or cut short: its end is missing")
    return ended


def _drafted(image: ImageFile) -> ImageFile:
    image.draft(None, (WORKING_SIDE, WORKING_SIDE))
    image.load()
    return image


def _seek_picture(image: ImageFile, data: bytes, limits: Limits) -> None:
    """Go to the page of a TIFF that is its picture: the first, or the largest where that is a preview."""
    tags = getattr(image, "tag_v2", {})
    preview = int(tags.get(_SUBFILE_TYPE, 0)) & 1
    if (preview and _SUB_IFDS in tags) or _DNG_VERSION in tags or tags.get(_PHOTOMETRIC) == _COLOUR_FILTER:
        raise NotAnImage(formats.camera_raw())
    if not getattr(image, "is_animated", False):
        return
    small = max(image.size) <= _PREVIEW_SIDE
    sizes = []
    with suppress(EOFError):
        for number in range(_MOST_PAGES):
            image.seek(number)
            sizes.append(image.width * image.height)
    largest = int(np.argmax(sizes))
    image.seek(largest if preview or small or sizes[largest] >= _PREVIEW * sizes[0] else 0)
    _check(image, data, limits)


def _halvings(image: ImageFile, data: bytes, limits: Limits) -> int:
    """How often a JPEG 2000 is to be halved so that it fits the limits."""
    width, height = image.size
    for halvings in range(jpeg2000.levels(data)):
        if width * height <= _most(image, limits) or min(width, height) <= 2 * WORKING_SIDE:
            return halvings
        width, height = (width + 1) // 2, (height + 1) // 2
    return jpeg2000.levels(data)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1..8; 1 where there is none or it cannot be read."""
    try:
        orientation = int(image.getexif().get(0x0112, 1))
    except Exception:  # damaged metadata does not spoil a picture
        return 1
    return orientation if orientation in _UPRIGHT else 1


def _reduced(image: Image.Image) -> Image.Image:
    factor = min(image.size) // WORKING_SIDE
    return image.reduce(factor) if factor > 1 else image


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
