"""The formats that are read here, and the names of those that are not."""

from __future__ import annotations

import importlib
import re
from functools import lru_cache

from facsimile.imaging.decode import libtiff

#: formats that Pillow reads by itself, without starting another program, and the plugins behind them
_PLUGINS = {
    "JPEG": "Jpeg",
    "PNG": "Png",
    "GIF": "Gif",
    "WEBP": "WebP",
    "TIFF": "Tiff",
    "BMP": "Bmp",
    "DIB": "Bmp",
    "AVIF": "Avif",
    "JPEG2000": "Jpeg2K",
    "PPM": "Ppm",
    "QOI": "Qoi",
    "ICO": "Ico",
}

#: memory that decoding takes, in bytes a pixel, where it is more than `USUAL_BYTES`: measured
USUAL_BYTES = 9
BYTES_A_PIXEL = {"JPEG2000": 25, "WEBP": 18, "AVIF": 15, "HEIF": 15}

_CONVERT = "convert it to JPEG, PNG or TIFF first"
_HEIC = "`pip install 'facsimile[heic]'` adds what reads it"

#: the brands of the box that ISO media files begin with
_BRANDS = (
    (rb"hei[cxms]|hev[cx]|mif1|msf1", "a HEIC picture", _HEIC),
    (rb"avif|avis", "an AVIF picture", "Pillow is installed without AVIF: install its wheel"),
    (rb"crx ", "a camera RAW picture (CR3)", _CONVERT),
    (rb"jp2 |jpx |jph ", "a JPEG 2000 picture of a kind that cannot be read here", _CONVERT),
    (rb"....", "a video", "take the frames that matter out of it first"),
)

#: what other files begin with
_BEGINNINGS = (
    (rb"\xff\x0a|\x00\x00\x00\x0cJXL ", "a JPEG XL picture", _CONVERT),
    (rb"8BPS", "a Photoshop document", _CONVERT),
    (rb"%PDF-", "a PDF document", "export its pages as pictures first"),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript document", _CONVERT),
    (rb"gimp xcf", "a GIMP document", _CONVERT),
    (rb"icns", "an Apple icon", _CONVERT),
    (rb"\x00\x00\x02\x00", "a Windows cursor", _CONVERT),
    (rb"DDS ", "a DDS texture", _CONVERT),
    (rb"v/1\x01", "an OpenEXR picture", _CONVERT),
    (rb"#\?(RADIANCE|RGBE)", "a Radiance HDR picture", _CONVERT),
    (rb"AT&TFORM", "a DjVu document", _CONVERT),
    (rb"SIMPLE  =", "a FITS file", _CONVERT),
    (rb"BPG\xfb", "a BPG picture", _CONVERT),
    (rb"II\xbc", "a JPEG XR picture", _CONVERT),
    (rb"(?s).{128}DICM", "a DICOM file", _CONVERT),
    (rb"FUJIFILMCCD-RAW|II(RO|RS|U\x00)|MMOR|FOVb|\x00MRM", "a camera RAW picture", _CONVERT),
    (
        rb"PK\x03\x04|\x1f\x8b|Rar!|7z\xbc\xaf|BZh|\xfd7zXZ",
        "an archive",
        "unpack it first, or name it .zip or .tar",
    ),
    (
        rb"(?s)\x1aE\xdf\xa3|RIFF....AVI |OggS|FLV\x01",
        "a video",
        "take the frames that matter out of it first",
    ),
)

# atomic groups, so that no bytes can make these slow
_BEFORE = rb"(?:\xef\xbb\xbf)?+(?>\s++|<\?xml.*?\?>|<!--.*?-->|<!DOCTYPE\s+svg[^>]*>)*+"
_SVG = re.compile(_BEFORE + rb"<(?:\w{1,20}:)?svg\b", re.DOTALL | re.IGNORECASE)
_HTML = re.compile(_BEFORE + rb"<(?:!doctype\s+html|html|head|body|script)\b", re.DOTALL | re.IGNORECASE)
_XML = re.compile(rb"(?:\xef\xbb\xbf)?\s*+<\?xml\b")

#: bytes that are looked at
_HEAD = 4096


@lru_cache(maxsize=1)
def readable() -> tuple[str, ...]:
    """The formats to try; loading just their plugins keeps Pillow from loading all that it has."""
    for plugin in set(_PLUGINS.values()):
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    libtiff.silence()
    try:
        import pillow_heif
    except ImportError:
        return tuple(_PLUGINS)
    pillow_heif.register_heif_opener()
    return (*_PLUGINS, "HEIF")


def unread(data: bytes) -> str:
    """What these bytes are, as a sentence that says what to do; they are in no format that is read here."""
    head = data[:_HEAD]
    kinds: tuple[tuple[bytes, str, str], ...] = _BEGINNINGS
    if head[4:8] == b"ftyp":
        kinds, head = _BRANDS, head[8:]
    for beginning, kind, remedy in kinds:
        if re.match(beginning, head):
            return f"this is {kind}, which cannot be read here; {remedy}"
    if _SVG.match(head):
        return f"this is an SVG drawing, which cannot be read here; {_CONVERT}"
    if _HTML.match(head):
        return "this is a web page, not an image; the address of the image itself is needed"
    if _XML.match(head):
        return "this is an XML document, not an image"
    return "the bytes are not in a supported image format"


def camera_raw() -> str:
    """The same for a camera's RAW picture, of which a TIFF holds but a preview that can be read."""
    return f"this is a camera RAW picture, which cannot be read here; {_CONVERT}"
