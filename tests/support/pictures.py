"""Pictures for the tests: real photographs that come with scikit-image, and ways to encode and edit them."""

from __future__ import annotations

import io
import struct
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw, ImageEnhance, ImageOps

#: colour and gray photographs of quite different things
NAMES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg", "camera.png", "hubble_deep_field.jpg")


@cache
def photograph(name: str = "chelsea.png", longest: int = 400) -> Image.Image:
    """One of the photographs in RGB, at most so many pixels a side; do not change it."""
    spec = find_spec("skimage")
    assert spec is not None and spec.origin is not None
    with Image.open(Path(spec.origin).parent / "data" / name) as image:
        photo = image.convert("RGB")
    photo.thumbnail((longest, longest), Image.Resampling.BOX)
    return photo


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, format, **options)
    return out.getvalue()


def synthetic(seed: int, size: tuple[int, int] = (96, 72)) -> bytes:
    """A JPEG of a made-up picture, unlike that of any other seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return encoded(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC), "JPEG", quality=90)


def photo_jpeg(number: int = 0, longest: int = 200) -> bytes:
    """One of the six photographs, as a JPEG."""
    return encoded(photograph(NAMES[number], longest), "JPEG", quality=90)


def bordered(image: Image.Image, colour: str = "black") -> Image.Image:
    return ImageOps.expand(image, image.width // 8, colour)


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(7).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))


def captioned(image: Image.Image) -> Image.Image:
    image = image.copy()
    ImageDraw.Draw(image).text((20, image.height // 2), "for sale", fill="white", font_size=28)
    return image


#: edits after which a picture is still the same one
EDITS = {
    "jpeg q30": lambda image: encoded(image, "JPEG", quality=30),
    "quarter size": lambda image: encoded(image.reduce(4)),
    "gray": lambda image: encoded(image.convert("L")),
    "brighter": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.3)),
    "darker": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.7)),
    "noise": lambda image: encoded(noisy(image)),
    "text": lambda image: encoded(captioned(image)),
    "border": lambda image: encoded(bordered(image), "JPEG", quality=85),
}


def wide_profile() -> bytes:
    """sRGB with red and green exchanged: a profile that no one can overlook."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", profile[128:132])[0]
    entries = [132 + 12 * i for i in range(count)]
    tags = {bytes(profile[at : at + 4]): at for at in entries}
    red, green = tags[b"rXYZ"], tags[b"gXYZ"]
    profile[red + 4 : red + 12], profile[green + 4 : green + 12] = (
        profile[green + 4 : green + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile).replace(b"s\0R\0G\0B", b"o\0d\0d\0o").replace(b"sRGB", b"oddo")
