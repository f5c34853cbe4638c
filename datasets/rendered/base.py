"""What all rendered kinds use: random choices, typefaces, made-up words, colours."""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.ImageDraw import ImageDraw as Draw

Colour = tuple[int, int, int]
Photos = Callable[[random.Random], Image.Image]
Kind = Callable[[random.Random, random.Random, Photos], Image.Image]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

WHITE: Colour = (255, 255, 255)
BLACK: Colour = (0, 0, 0)
CONSONANTS = (
    "b",
    "br",
    "c",
    "ch",
    "d",
    "f",
    "fl",
    "g",
    "gr",
    "h",
    "k",
    "l",
    "m",
    "n",
    "p",
    "pr",
    "r",
    "s",
    "st",
    "t",
    "v",
    "w",
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "ou", "y")
ENDS = ("", "n", "r", "s", "t", "l", "nd", "ck")


@cache
def typefaces() -> tuple[str, ...]:
    """Typefaces that come with matplotlib, if it is there; Pillow's own otherwise (an empty name)."""
    found = importlib.util.find_spec("matplotlib")
    if found is None or not found.submodule_search_locations:
        return ("",)
    folder = Path(found.submodule_search_locations[0]) / "mpl-data" / "fonts" / "ttf"
    wanted = ("DejaVuSans*.ttf", "DejaVuSerif*.ttf", "DejaVuSansMono*.ttf", "STIXGeneral*.ttf")
    files = {str(path) for pattern in wanted for path in folder.glob(pattern)}
    return ("", *sorted(name for name in files if "Display" not in name))


@cache
def font(face: str, size: int) -> Font:
    return ImageFont.truetype(face, size) if face else ImageFont.load_default(size)


def face_of(rng: random.Random) -> str:
    return rng.choice(typefaces())


def word(rng: random.Random) -> str:
    syllables = rng.choices((1, 2, 3), (4, 5, 2))[0]
    middle = "".join(rng.choice(CONSONANTS) + rng.choice(VOWELS) for _ in range(syllables))
    return middle + rng.choice(ENDS)


def words(rng: random.Random, count: int) -> str:
    return " ".join(word(rng) for _ in range(count))


def title(rng: random.Random, count: int) -> str:
    return words(rng, count).title()


def name(rng: random.Random) -> str:
    return title(rng, 2)


def number(rng: random.Random, digits: int) -> str:
    return str(rng.randint(10 ** (digits - 1), 10**digits - 1))


def amount(rng: random.Random) -> str:
    return f"{rng.randint(0, 10 ** rng.randint(1, 3))}.{rng.randint(0, 99):02}"


def date(rng: random.Random) -> str:
    return f"{rng.randint(1, 28):02}.{rng.randint(1, 12):02}.{rng.randint(1990, 2026)}"


def colour(rng: random.Random, low: int = 0, high: int = 255) -> Colour:
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def pale(rng: random.Random) -> Colour:
    """White as a rule, else a light colour."""
    return WHITE if rng.random() < 0.6 else colour(rng, 215, 255)


def dark(rng: random.Random) -> Colour:
    return BLACK if rng.random() < 0.5 else colour(rng, 0, 110)


def canvas(width: int, height: int, ground: Colour = WHITE) -> tuple[Image.Image, Draw]:
    image = Image.new("RGB", (width, height), ground)
    return image, ImageDraw.Draw(image)


def paragraph(
    draw: Draw,
    at: tuple[float, float],
    text: str,
    width: float,
    face: str,
    size: int,
    fill: Colour,
    gap: float = 1.35,
) -> float:
    """Text in lines of ``width``; returns where the next line would begin."""
    x, y = at
    line: list[str] = []
    used, typeface = 0.0, font(face, size)
    blank = draw.textlength(" ", typeface)
    for part in text.split():
        long = draw.textlength(part, typeface)
        if line and used + long > width:
            draw.text((x, y), " ".join(line), fill, typeface)
            line, used = [], 0.0
            y += size * gap
        line.append(part)
        used += long + blank
    draw.text((x, y), " ".join(line), fill, typeface)
    return y + size * gap


def filled(photo: Image.Image, width: int, height: int) -> Image.Image:
    """The middle of the photograph in this shape."""
    scale = max(width / photo.width, height / photo.height)
    inside = photo.resize((max(width, round(photo.width * scale)), max(height, round(photo.height * scale))))
    left, top = (inside.width - width) // 2, (inside.height - height) // 2
    return inside.crop((left, top, left + width, top + height))


def scanned(image: Image.Image, rng: random.Random) -> Image.Image:
    """As a scanner has it: a little turned, darker, with noise."""
    image = image.rotate(rng.uniform(-0.8, 0.8), Image.Resampling.BILINEAR, fillcolor=WHITE)
    noise = np.random.default_rng(rng.randrange(2**32)).normal(
        0, rng.uniform(2, 7), (image.height, image.width, 1)
    )
    values = np.asarray(image, np.float32) * rng.uniform(0.88, 1.0) + noise
    return Image.fromarray(np.clip(values, 0, 255).astype(np.uint8))
