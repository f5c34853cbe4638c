"""Seeded edits of a picture, as copies are met in the wild. Each gives the bytes of an edited file.

The same bytes, name and seed give the same edit. Sizes are shares of the picture, so that an edit means
the same at every resolution.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

from facsimile.imaging.errors import BrokenImage

Edit = Callable[[Image.Image, np.random.Generator], Image.Image | bytes]

WORDS = ("SALE", "follow for more", "breaking news", "when the code compiles", "www.example.org", "50% OFF")


def _encoded(image: Image.Image, format: str = "JPEG", quality: int = 95) -> bytes:
    file = io.BytesIO()
    image.save(file, format, quality=quality)
    return file.getvalue()


def _colour(rng: np.random.Generator) -> tuple[int, int, int]:
    red, green, blue = rng.integers(0, 256, 3)
    return int(red), int(green), int(blue)


def _jpeg(quality: int) -> Edit:
    return lambda image, rng: _encoded(image, quality=quality)


def _webp(quality: int) -> Edit:
    return lambda image, rng: _encoded(image, "WEBP", quality)


def _scaled(share: float) -> Edit:
    def edit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        size = (max(1, round(image.width * share)), max(1, round(image.height * share)))
        return image.resize(size, Image.Resampling.LANCZOS)

    return edit


def _gray(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.convert("L").convert("RGB")


def _brightness(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(float(rng.choice([0.5, 0.6, 1.5, 1.7])))


def _colours(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = ImageEnhance.Color(image).enhance(float(rng.uniform(0.3, 2.2)))
    image = ImageEnhance.Contrast(image).enhance(float(rng.uniform(0.6, 1.6)))
    shifted = np.asarray(image, np.float32) * rng.uniform(0.7, 1.3, 3).astype(np.float32)
    return Image.fromarray(np.clip(shifted, 0, 255).astype(np.uint8))


def _blur(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(max(1.0, 0.008 * max(image.size))))


def _noise(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    noisy = np.asarray(image, np.float32) + rng.normal(0, 20, (image.height, image.width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def _written(
    image: Image.Image, words: str, centre: tuple[float, float], height: float, fill: tuple[int, int, int]
) -> None:
    font = ImageFont.load_default(max(8, round(height * image.height)))
    place = (centre[0] * image.width, centre[1] * image.height)
    stroke = (0, 0, 0) if fill != (0, 0, 0) else (255, 255, 255)
    ImageDraw.Draw(image).text(
        place, words, fill=fill, font=font, anchor="mm", stroke_width=1, stroke_fill=stroke
    )


def _text(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = image.copy()
    words = str(rng.choice(WORDS))
    _written(image, words, (0.5, float(rng.uniform(0.3, 0.85))), 0.13, (255, 255, 255))
    return image


def _logo(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A round face, as stickers and emoji cover a part of the picture."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    side = 0.32 * min(image.size)
    left = float(rng.uniform(0, image.width - side))
    top = float(rng.uniform(0, image.height - side))
    draw.ellipse((left, top, left + side, top + side), fill=(255, 204, 50), outline=(120, 80, 0))
    for eye in (0.3, 0.62):
        draw.ellipse(
            (left + eye * side, top + 0.28 * side, left + (eye + 0.1) * side, top + 0.42 * side),
            fill=(60, 40, 0),
        )
    mouth = (left + 0.25 * side, top + 0.4 * side, left + 0.75 * side, top + 0.8 * side)
    draw.arc(mouth, 20, 160, fill=(60, 40, 0), width=max(2, round(side * 0.05)))
    return image


def _crop(area: float) -> Edit:
    def edit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        share = area**0.5
        width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
        left = int(rng.integers(0, image.width - width + 1))
        top = int(rng.integers(0, image.height - height + 1))
        return image.crop((left, top, left + width, top + height))

    return edit


def _border(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    width = round(float(rng.uniform(0.1, 0.2)) * max(image.size))
    return ImageOps.expand(image, width, _colour(rng))


def _background(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Pasted at half the area on a page with coarse coloured texture."""
    coarse = Image.fromarray(rng.integers(0, 256, (6, 6, 3), dtype=np.uint8))
    page = coarse.resize(image.size, Image.Resampling.BICUBIC)
    small = image.resize((round(image.width * 0.71), round(image.height * 0.71)), Image.Resampling.LANCZOS)
    left = int(rng.integers(0, page.width - small.width + 1))
    top = int(rng.integers(0, page.height - small.height + 1))
    page.paste(small, (left, top))
    return page


def _rotated(degrees: float) -> Edit:
    def edit(image: Image.Image, rng: np.random.Generator) -> Image.Image:
        sign = float(rng.choice([-1, 1]))
        return image.rotate(sign * degrees, Image.Resampling.BICUBIC, expand=False)

    return edit


def _turned(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return image.transpose(Image.Transpose.ROTATE_270)


def _flipped(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    return ImageOps.mirror(image)


def _perspective(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Photographed from a slant: each corner moves inward by up to an eighth of the side."""
    width, height = image.size
    moves = rng.uniform(0.02, 0.125, (4, 2)) * (width, height)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    return image.transform(
        image.size,
        Image.Transform.PERSPECTIVE,
        _homography(corners + inward * moves, corners),
        Image.Resampling.BICUBIC,
    )


def _homography(source: np.ndarray, target: np.ndarray) -> list[float]:
    """The eight coefficients with which Pillow maps each source corner to its target."""
    rows, values = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return [float(value) for value in np.linalg.solve(np.array(rows), np.array(values))]


def _screenshot(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A phone's screen: the picture between a title bar and a row of buttons."""
    bar = max(12, round(0.12 * image.height))
    dark = bool(rng.integers(0, 2))
    back, ink = ((18, 18, 20), (235, 235, 235)) if dark else ((250, 250, 250), (30, 30, 30))
    page = Image.new("RGB", (image.width, image.height + 3 * bar), back)
    page.paste(image, (0, bar))
    draw = ImageDraw.Draw(page)
    draw.text(
        (bar * 0.4, bar * 0.3), "12:07   photos", fill=ink, font=ImageFont.load_default(round(bar * 0.45))
    )
    for place in range(4):
        left = page.width * (0.1 + 0.22 * place)
        top = image.height + 1.4 * bar
        draw.ellipse((left, top, left + bar * 0.7, top + bar * 0.7), outline=ink, width=2)
    return page


def _meme(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    image = image.copy()
    _written(image, str(rng.choice(WORDS)).upper(), (0.5, 0.1), 0.13, (255, 255, 255))
    _written(image, str(rng.choice(WORDS)).upper(), (0.5, 0.9), 0.13, (255, 255, 255))
    return image


def _social_mix(image: Image.Image, rng: np.random.Generator) -> bytes:
    """What happens on the way through three social networks."""
    image = _as_image(_crop(float(rng.uniform(0.75, 0.9)))(image, rng))
    image = _colours(image, rng)
    image = _text(image, rng)
    image = _as_image(_scaled(0.6)(image, rng))
    return _encoded(image, quality=int(rng.integers(25, 50)))


ATTACKS: Mapping[str, Edit] = MappingProxyType(
    {
        "jpeg_q30": _jpeg(30),
        "jpeg_q10": _jpeg(10),
        "webp_q20": _webp(20),
        "quarter_size": _scaled(0.25),
        "gray": _gray,
        "brightness": _brightness,
        "colour": _colours,
        "blur": _blur,
        "noise": _noise,
        "text": _text,
        "logo": _logo,
        "crop_90": _crop(0.9),
        "crop_70": _crop(0.7),
        "crop_50": _crop(0.5),
        "border": _border,
        "background": _background,
        "rotate_5": _rotated(5),
        "turn_90": _turned,
        "flip": _flipped,
        "perspective": _perspective,
        "screenshot": _screenshot,
        "meme": _meme,
        "social_mix": _social_mix,
    }
)


def _as_image(made: Image.Image | bytes) -> Image.Image:
    return made if isinstance(made, Image.Image) else Image.open(io.BytesIO(made))


def attack(data: bytes, name: str, seed: int = 0) -> bytes:
    """The bytes of the edited picture: JPEG at quality 95 unless the edit chooses its own encoding.

    `name` is a key of `ATTACKS`. Raises BrokenImage where Pillow cannot read the bytes.
    """
    digest = hashlib.sha256(f"{seed}/{name}/".encode() + data).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    try:
        image = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, ValueError, SyntaxError) as error:
        raise BrokenImage(f"the picture to edit cannot be read ({error})") from error
    made = ATTACKS[name](image, rng)
    return made if isinstance(made, bytes) else _encoded(made)
