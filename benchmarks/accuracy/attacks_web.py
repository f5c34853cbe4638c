"""How copies look on the web, for the trial: six kinds, seeded, none of `facsimile.search.evaluation`."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

Picture = Image.Image
Draw = np.random.Generator

#: a picture, chance, and other pictures that may stand beside it
Disguise = Callable[[Picture, Draw, Sequence[Picture]], bytes]

_PHRASES = ("when you see it", "NOBODY:", "me on a monday", "only 3 left!", "is this art?", "part 2 tomorrow")
_PROSE = (
    "The council met on Tuesday to discuss the plans for the old harbour, which have divided the town for "
    "years. Several residents spoke against the project, while others welcomed the jobs that it would bring. "
    "A decision is expected in spring, after the report on traffic has been read by all members. "
)


def _jpeg(picture: Picture, quality: int) -> bytes:
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=quality)
    return file.getvalue()


def crop(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """30 to 80 % of the area stays, often in another shape, and is enlarged or shrunk."""
    area, shape = draw.uniform(0.3, 0.8), draw.uniform(0.75, 1.33)
    width = min(picture.width, round(picture.width * (area * shape) ** 0.5))
    height = min(picture.height, round(area * picture.width * picture.height / width))
    left, top = (int(draw.integers(0, gap + 1)) for gap in (picture.width - width, picture.height - height))
    kept = picture.crop((left, top, left + width, top + height))
    scale = draw.uniform(0.7, 1.6)
    size = (round(width * scale), round(height * scale))
    return _jpeg(kept.resize(size, Image.Resampling.BILINEAR), int(draw.integers(70, 93)))


def mirror(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """Left to right, in another size, sometimes with a frame."""
    mirrored = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = draw.uniform(0.6, 1.5)
    mirrored = mirrored.resize((round(picture.width * scale), round(picture.height * scale)))
    if draw.random() < 0.3:
        mirrored = ImageOps.expand(mirrored, int(draw.integers(4, 20)), "white")
    return _jpeg(mirrored, int(draw.integers(60, 90)))


def meme(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """A caption on a white strip above, big letters within, or both."""
    wide = picture.resize((480, max(1, round(480 * picture.height / picture.width))))
    within, above = [(True, False), (False, True), (True, True)][draw.integers(3)]
    font = ImageFont.load_default(40)
    if within:
        pen = ImageDraw.Draw(wide)
        for y in (30, wide.height - 30):
            words = str(draw.choice(_PHRASES)).upper()
            pen.text((240, y), words, "white", font, "mm", stroke_width=3, stroke_fill="black")
    if above:
        page = Image.new("RGB", (480, wide.height + 90), "white")
        page.paste(wide, (0, 90))
        ImageDraw.Draw(page).text((16, 45), str(draw.choice(_PHRASES)), "black", font, "lm")
        wide = page
    return _jpeg(wide, int(draw.integers(50, 85)))


def page(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """A screenshot of an article: header, prose, a column of other pictures; the copy takes 30 to 60 % of the
    width."""
    width, height = 1200, int(draw.integers(800, 1100))
    dark = draw.random() < 0.25
    paper, ink = ("#15181c", "#d8dade") if dark else ("white", "#222222")
    shot = Image.new("RGB", (width, height), paper)
    pen = ImageDraw.Draw(shot)
    bar = tuple(int(each) for each in draw.integers(20, 200, 3))
    pen.rectangle((0, 0, width, 64), fill=bar)
    pen.text((40, 32), "The Harbour Post      News   Sport   Culture   Weather", "white", _font(24), "lm")
    pen.text((60, 110), str(draw.choice(_PHRASES)).capitalize(), ink, _font(40), "lm")
    share = draw.uniform(0.3, 0.6)
    shown = ImageOps.contain(_at_least(picture, round(share * width)), (round(share * width), height - 240))
    left = 60 + int(draw.integers(0, 60))
    shot.paste(shown, (left, 160))
    letters = _PROSE * 6
    for line in range((height - 190 - shown.height) // 26):
        pen.text((60, 180 + shown.height + 26 * line), letters[75 * line : 75 * line + 75], ink, _font(18))
    for place, other in enumerate(others):
        shot.paste(ImageOps.fit(other, (240, 160)), (900, 160 + 220 * place))
        pen.text((900, 335 + 220 * place), str(draw.choice(_PHRASES)), ink, _font(18), "lm")
    return _jpeg(shot, int(draw.integers(70, 92)))


def colour(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """A filter of photo services: sepia, two tones, a tint, or hard contrast with dark edges."""
    kind = int(draw.integers(4))
    gray = ImageOps.grayscale(picture)
    if kind == 0:
        done = ImageOps.colorize(gray, "#2b1a08", "#fff1d0", "#a67c48")
    elif kind == 1:
        first, second = ("#" + draw.integers(low, low + 100, 3, np.uint8).tobytes().hex() for low in (0, 155))
        done = ImageOps.colorize(gray, first, second)
    elif kind == 2:
        tint = Image.new("RGB", picture.size, tuple(int(each) for each in draw.integers(60, 220, 3)))
        done = Image.blend(picture, tint, draw.uniform(0.25, 0.45))
    else:
        hard = np.asarray(ImageOps.autocontrast(picture, cutoff=8), np.float32)
        down, across = (np.linspace(-1, 1, side) ** 2 for side in hard.shape[:2])
        edges = 1 - 0.45 * np.clip(down[:, None] + across[None], 0, 1.6)
        done = Image.fromarray((hard * edges[..., None]).astype(np.uint8))
    return _jpeg(done, int(draw.integers(70, 90)))


def compressed(picture: Picture, draw: Draw, others: Sequence[Picture]) -> bytes:
    """Shrunk, then saved with a quality of 6 to 15."""
    scale = draw.uniform(0.6, 1.0)
    small = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    return _jpeg(small, int(draw.integers(6, 16)))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _at_least(picture: Picture, width: int) -> Picture:
    if picture.width >= width:
        return picture
    return picture.resize((width, round(picture.height * width / picture.width)), Image.Resampling.BICUBIC)


DISGUISES: dict[str, Disguise] = {
    "crop": crop,
    "mirror": mirror,
    "meme text": meme,
    "page screenshot": page,
    "colour filter": colour,
    "heavy JPEG": compressed,
}
