"""Pictures for the tests: real photographs that come with scikit-image, and ways to encode and edit them."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageOps

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
