"""The validation attacks: 21 deterministic edits by Pillow and NumPy alone, with nothing of the training
edits.

``attack(name, image, seed, background)`` returns the attacked picture; the same arguments give the same
bytes.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter, ImageFont

Rng = np.random.Generator
Attack = Callable[[Image.Image, Rng, Image.Image], Image.Image]

RESAMPLING = Image.Resampling.BICUBIC


def reencoded(image: Image.Image, kind: str, quality: int) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, kind, quality=quality)
    buffer.seek(0)
    with Image.open(buffer) as again:
        return again.convert("RGB")


def cropped(image: Image.Image, side: float, rng: Rng) -> Image.Image:
    """Keep ``side`` of the width and of the height, at a random place."""
    width, height = image.size
    new_width, new_height = max(1, round(width * side)), max(1, round(height * side))
    left, top = int(rng.integers(0, width - new_width + 1)), int(rng.integers(0, height - new_height + 1))
    return image.crop((left, top, left + new_width, top + new_height))


def font_of(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=max(8, size))


def jpeg_q30(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return reencoded(image, "JPEG", 30)


def jpeg_q10(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return reencoded(image, "JPEG", 10)


def webp_q20(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return reencoded(image, "WEBP", 20)


def resize_25(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """A quarter of the width and height."""
    return image.resize((max(8, image.width // 4), max(8, image.height // 4)), RESAMPLING)


def gray(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return image.convert("L").convert("RGB")


def brightness(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Half as bright, or half as bright again."""
    return ImageEnhance.Brightness(image).enhance(0.5 if rng.random() < 0.5 else 1.5)


def colour_jitter(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Brightness, contrast, saturation and hue at once."""
    image = ImageEnhance.Brightness(image).enhance(float(rng.uniform(0.7, 1.3)))
    image = ImageEnhance.Contrast(image).enhance(float(rng.uniform(0.6, 1.5)))
    image = ImageEnhance.Color(image).enhance(float(rng.uniform(0.2, 2.0)))
    planes = np.asarray(image.convert("HSV")).copy()
    planes[..., 0] += np.uint8(rng.integers(-24, 25) % 256)
    return Image.fromarray(planes, "HSV").convert("RGB")


def blur(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(min(image.size) / 100))


def noise(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    values = np.asarray(image, dtype=np.float64)
    return Image.fromarray(np.clip(values + rng.normal(0, 20, values.shape), 0, 255).astype(np.uint8))


def text(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Two lines in large letters with an outline, above and below."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    font = font_of(image.height / 7)
    for line, place in (("WHEN YOU SEE IT", 0.04), ("SHARE THIS NOW", 0.80)):
        left = draw.textbbox((0, 0), line, font=font)[2]
        where = ((image.width - left) / 2, image.height * place)
        draw.text(where, line, fill="white", font=font, stroke_width=2, stroke_fill="black")
    return image


def emoji(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """A yellow face of a third of the shorter side at a random place."""
    image = image.copy()
    draw = ImageDraw.Draw(image)
    side = min(image.size) / 3
    left = float(rng.uniform(0, image.width - side))
    top = float(rng.uniform(0, image.height - side))
    draw.ellipse((left, top, left + side, top + side), fill=(255, 210, 30), outline=(150, 110, 0))
    for x in (0.3, 0.7):
        middle = left + x * side
        draw.ellipse(
            (middle - side / 14, top + side * 0.27, middle + side / 14, top + side * 0.45), fill=(60, 40, 0)
        )
    smile = (left + side * 0.22, top + side * 0.3, left + side * 0.78, top + side * 0.8)
    draw.arc(smile, 20, 160, fill=(60, 40, 0), width=max(2, round(side / 16)))
    return image


def crop_90(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return cropped(image, math.sqrt(0.9), rng)


def crop_70(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """70 % of the width and height: half of the area."""
    return cropped(image, 0.7, rng)


def crop_50(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Half of the width and height: a quarter of the area."""
    return cropped(image, 0.5, rng)


def border(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """A plain border of 15 % on every side."""
    x, y = round(image.width * 0.15), round(image.height * 0.15)
    colour = [(255, 255, 255), (0, 0, 0), (40, 90, 160)][int(rng.integers(3))]
    canvas = Image.new("RGB", (image.width + 2 * x, image.height + 2 * y), colour)
    canvas.paste(image, (x, y))
    return canvas


def in_background(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Pasted at a random place on a picture of twice the area."""
    canvas = background.resize(
        (round(image.width * math.sqrt(2)), round(image.height * math.sqrt(2))), RESAMPLING
    )
    left = int(rng.integers(0, canvas.width - image.width + 1))
    top = int(rng.integers(0, canvas.height - image.height + 1))
    canvas.paste(image, (left, top))
    return canvas


def rot_5(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return image.rotate(5 if rng.random() < 0.5 else -5, RESAMPLING)


def rot_90(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    left = rng.random() < 0.5
    return image.transpose(Image.Transpose.ROTATE_90 if left else Image.Transpose.ROTATE_270)


def hflip(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def perspective(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Every corner moved inwards by up to a fifth of the sides; black around it."""
    width, height = image.size
    inward = rng.uniform(0, 0.2, (4, 2)) * np.array([width, height])
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float64)
    target = corners + inward * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    rows, values = [], []
    for (x, y), (u, v) in zip(target, corners, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    solution = np.linalg.solve(np.array(rows), np.array(values))
    return image.transform(image.size, Image.Transform.PERSPECTIVE, tuple(solution.tolist()), RESAMPLING)


def social_mix(image: Image.Image, rng: Rng, background: Image.Image) -> Image.Image:
    """Cropped a little, smaller, other colours, a caption, compressed: a repost of a repost."""
    image = cropped(image, 0.88, rng)
    image = image.resize((max(16, image.width * 6 // 10), max(16, image.height * 6 // 10)), RESAMPLING)
    image = ImageEnhance.Brightness(image).enhance(float(rng.uniform(0.8, 1.25)))
    image = ImageEnhance.Color(image).enhance(float(rng.uniform(0.5, 1.6)))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, image.height * 0.84, image.width, image.height), fill=(20, 20, 20))
    draw.text(
        (4, image.height * 0.86), "@reposted by a friend", fill="white", font=font_of(image.height * 0.09)
    )
    return reencoded(image, "JPEG", 35)


ATTACKS: dict[str, Attack] = {
    function.__name__: function
    for function in (
        jpeg_q30,
        jpeg_q10,
        webp_q20,
        resize_25,
        gray,
        brightness,
        colour_jitter,
        blur,
        noise,
        text,
        emoji,
        crop_90,
        crop_70,
        crop_50,
        border,
        in_background,
        rot_5,
        rot_90,
        hflip,
        perspective,
        social_mix,
    )
}


def attack(name: str, image: Image.Image, seed: int, background: Image.Image) -> Image.Image:
    """Apply one attack; stored as JPEG of quality 95 afterwards, as a file that was saved again would be."""
    rng = np.random.default_rng([seed, sorted(ATTACKS).index(name)])
    return reencoded(ATTACKS[name](image.convert("RGB"), rng, background.convert("RGB")), "JPEG", 95)
