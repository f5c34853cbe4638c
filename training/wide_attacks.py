"""Further validation attacks: layouts, turns, covers, print and filters, by Pillow and NumPy alone.

``wide_attack(name, image, seed, others)`` returns the attacked picture; the same arguments give the same
bytes.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageOps

from training.attacks import RESAMPLING, Rng, font_of, reencoded

Others = list[Image.Image]
WideAttack = Callable[[Image.Image, Rng, Others], Image.Image]

LINES = (
    "NOBODY EXPECTED THIS",
    "until one day it was there",
    "SEND IT TO A FRIEND",
    "and nothing was the same",
)


def tiles(pictures: list[Image.Image], columns: int, rows: int) -> Image.Image:
    page = Image.new("RGB", (720, 720))
    width, height = 720 // columns, 720 // rows
    for number, picture in enumerate(pictures):
        cell = ImageOps.fit(picture, (width, height), RESAMPLING)
        page.paste(cell, (number % columns * width, number // columns * height))
    return page


def collage_2(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return tiles([others[0], image] if rng.random() < 0.5 else [image, others[0]], 2, 1)


def collage_4(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    pictures = [image, *others[:3]]
    return tiles([pictures[i] for i in rng.permutation(4)], 2, 2)


def collage_6(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    pictures = [image, *others[:5]]
    return tiles([pictures[i] for i in rng.permutation(6)], 3, 2)


def inset(image: Image.Image, rng: Rng, ground: Image.Image, share: float) -> Image.Image:
    page = ground.resize((900, 600), RESAMPLING)
    width = round(900 * share)
    height = min(600, round(width * image.height / image.width))
    left, top = int(rng.integers(0, 901 - width)), int(rng.integers(0, 601 - height))
    page.paste(image.resize((width, height), RESAMPLING), (left, top))
    return page


def inset_50(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return inset(image, rng, others[0], 0.5)


def inset_33(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return inset(image, rng, others[0], 1 / 3)


def inset_20(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return inset(image, rng, others[0], 0.2)


def phone_page(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """A post on a phone's screen; the picture takes about a quarter of it."""
    page = Image.new("RGB", (540, 1000), "white" if rng.random() < 0.5 else (18, 18, 20))
    ink = ImageChops.invert(page).getpixel((0, 0))
    draw = ImageDraw.Draw(page)
    draw.ellipse((20, 60, 80, 120), fill=(130, 130, 140))
    draw.text((96, 74), "somewhere_else", fill=ink, font=font_of(26))
    height = min(560, round(540 * image.height / image.width))
    page.paste(image.resize((540, height), RESAMPLING), (0, 140))
    for number, line in enumerate(LINES):
        draw.text((20, 160 + height + 40 * number), line.lower(), fill=ink, font=font_of(24))
    return page


def turned_45(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return image.rotate(45 if rng.random() < 0.5 else -45, RESAMPLING, expand=True)


def turned_any(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """Any angle; the corners are cut off, white comes in."""
    return image.rotate(float(rng.uniform(20, 340)), RESAMPLING, fillcolor="white")


def negative(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return ImageOps.invert(image)


def captions(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """Three lines of text across the picture, outlined."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    font = font_of(image.width / 13)
    start = float(rng.uniform(0.05, 0.4)) * image.height
    for number in range(3):
        text = LINES[(number + int(rng.integers(4))) % 4]
        at = (image.width / 2, start + number * image.height * 0.2)
        draw.text(at, text, fill="white", font=font, stroke_width=2, stroke_fill="black", anchor="mt")
    return image


def meme_page(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """White space with lines of text above and below."""
    page = Image.new("RGB", (image.width, round(image.height * 1.5)), "white")
    page.paste(image, (0, round(image.height * 0.3)))
    draw = ImageDraw.Draw(page)
    font = font_of(image.width / 14)
    for line, place in ((LINES[0], 0.02), (LINES[1], 0.14), (LINES[3], 1.36)):
        draw.text((8, image.height * place), line, fill="black", font=font)
    return page


def covered_40(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """A piece of another picture over two fifths of the area."""
    image = image.copy()
    width, height = round(image.width * 0.63), round(image.height * 0.63)
    left, top = int(rng.integers(0, image.width - width + 1)), int(rng.integers(0, image.height - height + 1))
    image.paste(others[0].resize((width, height), RESAMPLING), (left, top))
    return image


def cut_out(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """The middle alone, on black."""
    mask = Image.new("L", image.size, 0)
    corners = ((0.2, 0.3), (0.5, 0.06), (0.85, 0.2), (0.92, 0.7), (0.5, 0.95), (0.1, 0.8))
    ImageDraw.Draw(mask).polygon([(image.width * x, image.height * y) for x, y in corners], fill=255)
    return Image.composite(image, Image.new("RGB", image.size, "black"), mask)


def halftone(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """Printed in dots and scanned, a little askew."""
    image = ImageOps.contain(image, (640, 640))
    gray = np.asarray(image.convert("L"), np.float64)
    y, x = np.mgrid[: gray.shape[0], : gray.shape[1]]
    dots = 127 + 64 * (np.cos((x + y) * 0.85) + np.cos((x - y) * 0.85))
    printed = Image.fromarray(np.where(gray > dots, 255, 0).astype(np.uint8)).filter(
        ImageFilter.GaussianBlur(1.2)
    )
    return printed.rotate(1.5, RESAMPLING, fillcolor=255).convert("RGB")


def filmed(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """A photograph of a screen: aside, with stripes, warm light, noise."""
    image = ImageOps.contain(image, (600, 600))
    width, height = image.size
    board = Image.new("RGB", (width + 160, height + 140), (38, 36, 40))
    board.paste(image, (80, 70))
    moved = rng.uniform(0, 0.07, 8) * board.width
    quad: tuple[float, ...] = (-moved[0], -moved[1], -moved[2], board.height + moved[3])
    quad += (board.width + moved[4], board.height + moved[5], board.width + moved[6], -moved[7])
    board = board.transform(board.size, Image.Transform.QUAD, quad, RESAMPLING)
    values = np.asarray(board, np.float64)
    y, x = np.mgrid[: values.shape[0], : values.shape[1]]
    stripes = 13 * np.sin(x * 0.83 + y * 0.11) * np.sin(y * 1.07)
    values = values * (1.06, 1.0, 0.86) + stripes[..., None] + rng.normal(0, 7, values.shape)
    return reencoded(Image.fromarray(np.clip(values, 0, 255).astype(np.uint8)), "JPEG", 75)


def one_channel(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return image.getchannel("RGB"[int(rng.integers(3))]).convert("RGB")


def sepia(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return ImageOps.colorize(image.convert("L"), (25, 10, 0), (255, 232, 190))


def posterised(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return ImageOps.posterize(image, 2)


def solarised(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return ImageOps.solarize(image, 128)


def embossed(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return image.filter(ImageFilter.EMBOSS)


def edges(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    return ImageOps.invert(image.convert("L").filter(ImageFilter.FIND_EDGES)).convert("RGB")


def stretched(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """Another aspect, on a screen of the first one: bars at two sides."""
    wide = rng.random() < 0.5
    page = Image.new("RGB", image.size)
    size = (image.width, round(image.height * 0.6)) if wide else (round(image.width * 0.6), image.height)
    page.paste(image.resize(size, RESAMPLING), ((page.width - size[0]) // 2, (page.height - size[1]) // 2))
    return page


def faded(image: Image.Image, rng: Rng, others: Others) -> Image.Image:
    """A photograph of a print in poor light: little contrast, a shadow across."""
    image = ImageEnhance.Contrast(image).enhance(0.45)
    shade = Image.linear_gradient("L").resize(image.size).rotate(90 * int(rng.integers(4)), expand=False)
    dark = ImageEnhance.Brightness(image).enhance(0.4)
    return Image.composite(image, dark, shade.resize(image.size))


WIDE_ATTACKS: dict[str, WideAttack] = {
    function.__name__: function
    for function in (
        collage_2,
        collage_4,
        collage_6,
        inset_50,
        inset_33,
        inset_20,
        phone_page,
        turned_45,
        turned_any,
        negative,
        captions,
        meme_page,
        covered_40,
        cut_out,
        halftone,
        filmed,
        one_channel,
        sepia,
        posterised,
        solarised,
        embossed,
        edges,
        stretched,
        faded,
    )
}
OTHERS = 5
"""Further pictures that an attack may need."""


def wide_attack(name: str, image: Image.Image, seed: int, others: Others) -> Image.Image:
    """Apply one attack; stored as JPEG of quality 85 afterwards."""
    rng = np.random.default_rng([seed, 77, sorted(WIDE_ATTACKS).index(name)])
    return reencoded(WIDE_ATTACKS[name](image.convert("RGB"), rng, others).convert("RGB"), "JPEG", 85)
