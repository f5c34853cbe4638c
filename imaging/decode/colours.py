"""Stored samples as the colours that a screen shows: eight bits deep, in sRGB, and opaque."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

#: of this share of the pixels, a few, values may lie far from all others: dead and hot pixels of a sensor
_OUTLIERS = 0.001

#: values that are looked at for the range of all
_SAMPLED = 1_000_000

#: 16-bit samples of so many bits or less come from a sensor of that depth: without scaling they are black
_SENSOR_BITS = 14

#: pixels that are converted at a time: a copy of a large picture at 8 bytes a pixel would double its cost
_AT_ONCE = 1_000_000

#: levels by which a profile may move a colour and still be that of sRGB: they round and scale in various ways
_SAME_COLOUR = 3

#: a picture shows on white where more than this share of what is not transparent has this contrast to it
_SHOWN = 0.005
_CONTRAST = 32


def eight_bits(image: Image.Image) -> Image.Image:
    """The image in a mode of 8 bits a sample, whose values can be averaged."""
    if image.mode == "1":
        return image.convert("L")
    if image.mode in ("P", "PA"):
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    if image.mode.startswith("I;16"):
        return _scaled(image, *_range_of_integers(_sample(image)))
    if image.mode in ("I", "F"):  # no scale is agreed on, and a hash asks for none
        return _scaled(image, *_range_of_all(_sample(image)))
    if "transparency" in image.info:  # one colour of an opaque mode stands for transparent
        return image.convert("RGBA")
    return image


def strips(image: Image.Image) -> Iterator[Image.Image]:
    """The image in runs of rows, from top to bottom."""
    rows = max(1, _AT_ONCE // image.width)
    if rows >= image.height:
        yield image
        return
    for top in range(0, image.height, rows):
        yield image.crop((0, top, image.width, min(top + rows, image.height)))


def _sample(image: Image.Image) -> NDArray[Any]:
    """Values from all over the image: finite ones, sorted."""
    step = max(1, image.width * image.height // _SAMPLED)
    values = np.concatenate([np.asarray(strip).ravel()[::step] for strip in strips(image)])
    return np.sort(values[np.isfinite(values)])


def _range_of_integers(values: NDArray[np.uint16]) -> tuple[float, float]:
    """What is black and what is white in 16-bit samples, which may hold fewer bits than that."""
    bits = int(values[-1 - int(_OUTLIERS * len(values))]).bit_length()
    return 0, 2 ** max(bits, 8) if bits <= _SENSOR_BITS else 2**16


def _range_of_all(values: NDArray[Any]) -> tuple[float, float]:
    """What is black and what is white in samples of no agreed scale: their range, or that of nearly all where
    a few lie far outside it."""
    if not len(values):
        return 0, 1
    outliers = int(_OUTLIERS * len(values))
    least, low, high, most = (float(values[at]) for at in (0, outliers, -1 - outliers, -1))
    if low < high:
        least = low if least < low - (high - low) else least
        most = high if most > high + (high - low) else most
    return least, most


def _scaled(image: Image.Image, black: float, white: float) -> Image.Image:
    """The image in mode L; 0 is black, and 255 is white, or the last level below it for integers."""
    integers = image.mode.startswith("I;16")
    steps = 256 / (white - black) if integers else 255 / max(white - black, 1e-300)
    scaled = Image.new("L", image.size)
    top = 0
    for strip in strips(image):
        values = np.clip(np.nan_to_num(np.asarray(strip, np.float64), nan=black), black, white)
        levels = np.minimum((values - black) * steps, 255).astype(np.uint8)
        scaled.paste(Image.fromarray(levels), (0, top))
        top += strip.height
    return scaled


def opaque(image: Image.Image) -> Image.Image:
    """The image on its ground where it is transparent, in mode L, RGB or CMYK."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
        ground = Image.new("RGBA", image.size, _ground(image))
        ground.alpha_composite(image)
        return ground.convert("RGB")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _ground(image: Image.Image) -> str:
    """White, as pages are; black for what can be seen there and not on white."""
    alpha = np.asarray(image.getchannel("A"))
    light = np.asarray(image.convert("RGB").convert("L")).astype(np.uint16)
    on_white, on_black = (
        np.count_nonzero(contrast * alpha > _CONTRAST * 255) for contrast in (255 - light, light)
    )
    return "black" if on_white <= _SHOWN * np.count_nonzero(alpha) and on_black > on_white else "white"


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The image in sRGB; a profile that is damaged or does not fit counts as none."""
    transform = _transform(profile, image.mode) if profile else None
    if transform:
        try:
            converted = ImageCms.applyTransform(image, transform)
        except Exception:  # damaged metadata does not spoil a picture
            converted = None
        if converted is not None:
            return converted
    return image if image.mode in ("L", "RGB") else image.convert("RGB")


def changes_colours(profile: bytes | None, mode: str) -> bool:
    """Whether this profile makes other colours of an image of a mode than sRGB does."""
    gray = mode in ("1", "L", "F") or mode.startswith("I")
    shown = "L" if gray else "CMYK" if mode == "CMYK" else "RGB"
    return bool(profile) and _transform(profile or b"", shown) is not None


@lru_cache(maxsize=16)
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB; None where both are the same, and where there is none.

    To build a transform takes longer than to apply it, and most pictures share few profiles.
    """
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        return None if _is_identity(transform, mode) else transform
    except Exception:  # damaged metadata does not spoil a picture
        return None


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    """Whether a transform leaves a selection of colours as they are. Names of profiles say nothing: those of
    "linear sRGB" are not sRGB."""
    if mode not in ("L", "RGB"):
        return False
    levels = np.arange(256, dtype=np.uint8)
    grays = np.stack([levels] * 3, axis=-1)
    few = levels[::51]
    colours = np.stack(np.meshgrid(few, few, few), axis=-1).reshape(-1, 3)
    probe = Image.fromarray(levels[None] if mode == "L" else np.concatenate([grays, colours])[None])
    made = ImageCms.applyTransform(probe, transform)
    if made is None:
        return False
    difference = np.asarray(made).astype(int) - np.asarray(probe.convert("RGB"))
    return int(np.abs(difference).max()) <= _SAME_COLOUR
