"""Scenes: memes on one picture, goods on one ground, one camera that does not move, shelves seen twice."""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from datasets.rendered import base
from datasets.rendered.base import Kind, Photos


def meme(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Panels with captions beside pictures: most of the pictures stay, the captions change."""
    width, height = 480, template.choice((360, 480, 560))
    rows = template.randint(2, 4)
    image, draw = base.canvas(width, height, base.pale(template))
    face, size, step = base.face_of(template), template.randint(18, 28), height // rows
    wide = template.choice((160, 220, 260))
    left = template.random() < 0.5
    for row in range(rows):
        x, y = 0 if left else width - wide, row * step
        source = template if template.random() < 0.7 else content
        image.paste(base.filled(photos(source), wide, step), (x, y))
        text = base.words(content, content.randint(3, 10))
        base.paragraph(
            draw, ((wide if left else 0) + 12, y + 14), text, width - wide - 24, face, size, base.BLACK
        )
        draw.line((0, y, width, y), base.BLACK, 2)
    return image


def blob(rng: random.Random, side: int, rough: float) -> Image.Image:
    """A mask of a closed smooth outline."""
    mask = Image.new("L", (side, side), 0)
    waves = [(k, rng.uniform(0, rough / k), rng.uniform(0, 6.3)) for k in range(1, 6)]
    tall = rng.uniform(0.6, 1.0)
    points = []
    for step in range(72):
        angle = step * math.pi / 36
        radius = side * 0.36 * (1 + sum(a * math.sin(k * angle + p) for k, a, p in waves))
        points.append((side / 2 + radius * math.cos(angle), side / 2 + tall * radius * math.sin(angle)))
    ImageDraw.Draw(mask).polygon(points, 255)
    return mask.filter(ImageFilter.GaussianBlur(1.5))


def plain_ground(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One sort of thing on a plain ground, shot from the same place: another piece each time."""
    side = 360
    shade = template.choice((base.BLACK, base.WHITE, base.colour(template)))
    image = Image.new("RGB", (side, side), shade)
    skin = base.colour(template, 60, 220)
    coarse = np.random.default_rng(content.randrange(2**32)).normal(0, 1, (24, 24, 1))
    shape = content.randint(200, 320)
    light = np.linspace(1.25, 0.65, 24)[:, None, None]
    values = np.clip(np.array(skin) * light + coarse * template.uniform(4, 22), 0, 255).astype(np.uint8)
    skin_image = Image.fromarray(values).resize((shape, shape), Image.Resampling.BICUBIC)
    if template.random() < 0.3:
        skin_image = Image.blend(skin_image, base.filled(photos(content), shape, shape), 0.6)
    mask = blob(content, shape, template.uniform(0.1, 0.5)).rotate(content.uniform(0, 360))
    spare = side - shape
    image.paste(
        skin_image, (spare // 2 + content.randint(-20, 20), spare // 2 + content.randint(-20, 20)), mask
    )
    return image


def garment(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One cut of clothing in other colours, with other prints."""
    side = 380
    image, draw = base.canvas(side, side, base.colour(template, 200, 255))
    hem, sleeve, long = template.randint(300, 360), template.randint(110, 210), template.randint(40, 90)
    outline = [
        (120, 50),
        (165, 36),
        (190, 60),
        (215, 36),
        (260, 50),
        (260 + long, sleeve),
        (225 + long, sleeve + 40),
    ]
    outline += [
        (268, 140),
        (268, hem),
        (112, hem),
        (112, 140),
        (155 - long, sleeve + 40),
        (120 - long, sleeve),
    ]
    draw.polygon(outline, base.colour(content), (120, 120, 120))
    print_kind = content.randrange(4)
    if print_kind == 0:
        for y in range(120, hem, content.randint(16, 50)):
            draw.rectangle((113, y, 267, y + 8), base.colour(content))
    elif print_kind == 1:
        text = base.word(content).upper()
        draw.text((190, 170), text, base.colour(content), base.font(base.face_of(content), 34), anchor="mm")
    elif print_kind == 2:
        image.paste(base.filled(photos(content), 100, 100), (140, 120))
    return image


def carton(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One package design in other flavours."""
    width, height = 300, 400
    image, draw = base.canvas(width, height, base.colour(template, 200, 255))
    brand, face = base.colour(template), base.face_of(template)
    draw.rectangle((40, 30, 260, 380), base.colour(template))
    draw.rectangle((40, 30, 260, 110), brand)
    draw.text((150, 70), base.word(template).title(), base.WHITE, base.font(face, 40), anchor="mm")
    flavour = base.colour(content)
    draw.rectangle((40, 130, 260, 190), flavour)
    draw.text((150, 160), base.word(content).title(), base.WHITE, base.font(face, 30), anchor="mm")
    for _ in range(content.randint(1, 4)):
        x, y, r = content.randint(70, 230), content.randint(220, 340), content.randint(16, 40)
        draw.ellipse(
            (x - r, y - r, x + r, y + r), content.choice((flavour, base.colour(content))), base.BLACK
        )
    return image


def camera(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A camera that does not move: one room or street, other things in it, a little other light."""
    width, height = 480, 340
    image = base.filled(photos(template), width, height)
    stamp = template.random() < 0.4
    things = template.randint(1, 3)
    low = template.randint(90, 150)
    for _ in range(things):
        side = content.randint(low, low + 110)
        thing = base.filled(photos(content), side, side)
        at = (
            content.randint(-20, width - side + 20),
            content.randint(max(0, height - side - 140), height - side + 30),
        )
        image.paste(thing, at, blob(content, side, 0.35))
    values = np.asarray(image, np.float32) * content.uniform(0.92, 1.08)
    noise = np.random.default_rng(content.randrange(2**32)).normal(0, 4, (height, width, 1))
    image = Image.fromarray(np.clip(values + noise, 0, 255).astype(np.uint8))
    if stamp:
        text = f"{base.date(content)} {content.randint(0, 23):02}:{content.randint(0, 59):02}"
        ImageDraw.Draw(image).text((12, 10), text, base.WHITE, base.font(base.face_of(template), 20))
    return image


def shelf(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Packages in rows, seen again from a little aside after some of them were taken or replaced."""
    width, height = 460, 380
    image, draw = base.canvas(width, height, base.colour(template, 60, 200))
    rows, columns = template.randint(2, 4), template.randint(4, 8)
    step, cell = height // rows, width // columns
    for row in range(rows):
        for column in range(columns):
            rng = content if content.random() < 0.45 else template
            stable = random.Random(template.randrange(2**32) if rng is template else content.randrange(2**32))
            x, y, top = column * cell, row * step, stable.randint(8, step // 2)
            draw.rectangle((x + 3, y + top, x + cell - 3, y + step - 10), base.colour(stable))
            draw.rectangle((x + 3, y + top + 14, x + cell - 3, y + top + 34), base.colour(stable))
            draw.text((x + 5, y + top + 16), base.word(stable), base.BLACK, base.font("", 13))
        draw.rectangle((0, (row + 1) * step - 10, width, (row + 1) * step), base.colour(template, 120, 240))
    moved = [content.uniform(-24, 24) for _ in range(8)]
    quad = (
        moved[0],
        moved[1],
        moved[2],
        height + moved[3],
        width + moved[4],
        height + moved[5],
        width + moved[6],
        moved[7],
    )
    return image.transform((width, height), Image.Transform.QUAD, quad, Image.Resampling.BILINEAR)


def lineup(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A composed page of portraits: the same frames and one common picture, another one beside it."""
    width, height = 520, 320
    image, draw = base.canvas(width, height, base.colour(template, 150, 255))
    image.paste(base.filled(photos(template), 240, 240), (12, 40))
    image.paste(base.filled(photos(content), 240, 240), (268, 40))
    face = base.face_of(template)
    draw.text((132, 300), base.name(template), base.BLACK, base.font(face, 18), anchor="mm")
    draw.text((388, 300), base.name(content), base.BLACK, base.font(face, 18), anchor="mm")
    return image


def identity(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Identity cards of one issuer."""
    width, height = 480, 300
    image, draw = base.canvas(width, height, base.colour(template, 190, 255))
    face, accent = base.face_of(template), base.colour(template, 0, 180)
    draw.rectangle((0, 0, width, 46), accent)
    draw.text((16, 8), base.title(template, 3), base.WHITE, base.font(face, 24))
    left = template.random() < 0.7
    image.paste(base.filled(photos(content), 120, 150), (16 if left else 344, 66))
    x = 156 if left else 20
    for k in range(4):
        draw.text((x, 64 + k * 44), base.title(template, 1), accent, base.font(face, 11))
        shown = base.name(content) if k < 2 else base.date(content) if k == 2 else base.number(content, 9)
        draw.text((x, 78 + k * 44), shown, base.BLACK, base.font(face, 20))
    draw.text((16, 262), "<<".join(base.words(content, 4).upper().split()), base.BLACK, base.font(face, 17))
    return image


SCENES: tuple[Kind, ...] = (meme, plain_ground, garment, carton, camera, shelf, lineup, identity)
