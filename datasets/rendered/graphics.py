"""Graphics: charts, clocks, gauges, playing cards, road signs, flags, icons, faces, maps, patterns."""

from __future__ import annotations

import math
import random

import numpy as np
from PIL import Image, ImageDraw

from datasets.rendered import base
from datasets.rendered.base import Kind, Photos


def chart(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Bars, lines, points or areas between the same axes."""
    width, height = template.choice(((560, 400), (480, 480), (600, 360)))
    image, draw = base.canvas(width, height, base.pale(template))
    face, sort = base.face_of(template), template.choice(("bars", "lines", "points", "area", "stacked"))
    shades = [base.colour(template, 20, 220) for _ in range(4)]
    draw.text((width / 2, 20), base.title(template, 3), base.BLACK, base.font(face, 18), anchor="mm")
    left, top, right, bottom = 50, 44, width - 20, height - 40
    if template.random() < 0.6:
        for k in range(1, 6):
            y = bottom - k * (bottom - top) / 6
            draw.line((left, y, right, y), (215, 215, 215))
    for k in range(6):
        draw.text(
            (left - 6, bottom - k * (bottom - top) / 6),
            str(k * template.choice((5, 20, 100))),
            base.BLACK,
            base.font(face, 11),
            anchor="rm",
        )
    count = template.randint(5, 14)
    step = (right - left) / count
    series = template.randint(1, 3) if sort in ("lines", "points", "stacked") else 1
    base_line = [float(bottom)] * count
    for s in range(series):
        values = [content.random() for _ in range(count)]
        heights = [v * (bottom - top) * (0.95 if sort != "stacked" else 0.95 / series) for v in values]
        if sort in ("bars", "stacked"):
            for k, value in enumerate(heights):
                x = left + k * step
                draw.rectangle(
                    (x + step * 0.15, base_line[k] - value, x + step * 0.85, base_line[k]), shades[s]
                )
                base_line[k] -= value
        elif sort == "points":
            for _ in range(40):
                x, y = content.uniform(left, right), content.gauss((top + bottom) / 2, 60)
                draw.ellipse((x - 4, y - 4, x + 4, y + 4), shades[s])
        else:
            points = [(left + (k + 0.5) * step, bottom - value) for k, value in enumerate(heights)]
            if sort == "area":
                draw.polygon([(points[0][0], bottom), *points, (points[-1][0], bottom)], shades[s])
            else:
                draw.line(points, shades[s], 3)
    for k in range(count):
        draw.text(
            (left + (k + 0.5) * step, bottom + 6),
            base.word(template)[:4],
            base.BLACK,
            base.font(face, 11),
            anchor="mt",
        )
    draw.line((left, top, left, bottom, right, bottom), base.BLACK, 2)
    return image


def pie(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 520, 400
    image, draw = base.canvas(width, height, base.pale(template))
    face, count = base.face_of(template), template.randint(3, 7)
    draw.text((width / 2, 24), base.title(template, 3), base.BLACK, base.font(face, 20), anchor="mm")
    shares = [content.uniform(0.1, 1) for _ in range(count)]
    start = content.uniform(0, 360)
    for k, share in enumerate(shares):
        shade = base.colour(template, 20, 240)
        end = start + 360 * share / sum(shares)
        draw.pieslice((30, 60, 330, 360), start, end, shade, base.WHITE, 2)
        draw.rectangle((360, 90 + k * 36, 380, 110 + k * 36), shade)
        draw.text(
            (390, 92 + k * 36),
            f"{base.word(template)} {100 * share / sum(shares):.0f} %",
            base.BLACK,
            base.font(face, 14),
        )
        start = end
    if template.random() < 0.4:
        draw.ellipse((105, 135, 255, 285), base.WHITE)
    return image


def clock(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    side = 400
    image, draw = base.canvas(side, side, base.pale(template))
    ink, face = base.dark(template), base.face_of(template)
    draw.ellipse((16, 16, side - 16, side - 16), base.pale(template), ink, template.randint(3, 18))
    numerals = template.choice(("all", "quarters", "ticks"))
    for k in range(12):
        angle = k * math.pi / 6
        x, y = 200 + 148 * math.sin(angle), 200 - 148 * math.cos(angle)
        if numerals == "all" or (numerals == "quarters" and k % 3 == 0):
            draw.text((x, y), str(k or 12), ink, base.font(face, 30), anchor="mm")
        else:
            draw.line((x, y, 200 + 166 * math.sin(angle), 200 - 166 * math.cos(angle)), ink, 5)
    hours, thick = content.uniform(0, 12), template.randint(5, 14)
    for long, share, wide in ((86, hours / 12, thick), (136, hours % 1, max(3, thick // 2))):
        angle = share * 2 * math.pi
        draw.line((200, 200, 200 + long * math.sin(angle), 200 - long * math.cos(angle)), ink, wide)
    return image


def gauge(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 480, 320
    image, draw = base.canvas(width, height, base.pale(template))
    ink, accent = base.dark(template), base.colour(template, 0, 220)
    draw.arc((50, 50, 430, 430), 180, 360, accent, template.randint(10, 40))
    value = content.random()
    angle = math.pi * value
    draw.line((240, 240, 240 - 150 * math.cos(angle), 240 - 150 * math.sin(angle)), ink, 8)
    draw.text((240, 290), f"{100 * value:.0f} %", ink, base.font(base.face_of(template), 40), anchor="mm")
    return image


def card(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Playing cards of one pack."""
    width, height = 300, 420
    image, draw = base.canvas(width, height, base.pale(template))
    draw.rounded_rectangle(
        (4, 4, width - 4, height - 4), template.randint(0, 30), outline=base.BLACK, width=3
    )
    value, suit = content.randint(1, 10), content.randrange(4)
    shade = ((200, 20, 20), (20, 20, 20))[suit % 2]
    for k in range(value):
        column, row = k % 2 if value > 3 else 0.5, k // 2 if value > 3 else k
        x, y = 95 + 110 * column, 80 + row * 260 / max(1, (value - 1) // 2 if value > 3 else 2)
        suit_mark(draw, suit, x, y, 24, shade)
    face = base.face_of(template)
    for at in ((26, 34), (width - 26, height - 34)):
        draw.text(at, str(value), shade, base.font(face, 34), anchor="mm")
    return image


def suit_mark(
    draw: ImageDraw.ImageDraw, suit: int, x: float, y: float, radius: float, shade: base.Colour
) -> None:
    if suit == 0:
        draw.polygon(((x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)), shade)
    elif suit == 1:
        for a, b in ((0, -0.6), (-0.6, 0.2), (0.6, 0.2)):
            part = radius * 0.55
            draw.ellipse(
                (x + a * radius - part, y + b * radius - part, x + a * radius + part, y + b * radius + part),
                shade,
            )
        draw.rectangle((x - 3, y, x + 3, y + radius), shade)
    elif suit == 2:
        draw.polygon(((x - radius, y - radius * 0.1), (x + radius, y - radius * 0.1), (x, y + radius)), shade)
        for side in (-0.5, 0.5):
            draw.ellipse(
                (
                    x + side * radius - radius / 2,
                    y - radius * 0.7,
                    x + side * radius + radius / 2,
                    y + radius * 0.2,
                ),
                shade,
            )
    else:
        draw.polygon(((x - radius, y + radius * 0.4), (x + radius, y + radius * 0.4), (x, y - radius)), shade)
        draw.rectangle((x - 3, y, x + 3, y + radius), shade)


def road_sign(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One shape of sign: other numbers, letters or symbols in it."""
    side = 380
    image, draw = base.canvas(side, side, base.colour(template) if template.random() < 0.5 else base.WHITE)
    edge, shape = base.colour(template, 0, 220), template.choice(("circle", "triangle", "square", "octagon"))
    corners = {"triangle": 3, "square": 4, "octagon": 8}
    thick = template.choice((0.7, 0.78, 0.86))
    turn = 45 if shape == "square" and template.random() < 0.5 else 0
    for radius, fill in (
        (175, edge),
        (175 * thick, base.WHITE if template.random() < 0.7 else base.colour(template, 200)),
    ):
        if shape == "circle":
            draw.ellipse((190 - radius, 190 - radius, 190 + radius, 190 + radius), fill)
        else:
            draw.regular_polygon(
                (190, 205 if shape == "triangle" else 190, radius), corners[shape], turn, fill
            )
    sort, ink = template.choice(("number", "letter", "glyph")), base.dark(template)
    if sort == "number":
        draw.text(
            (190, 195), str(content.randint(2, 130)), ink, base.font(base.face_of(template), 110), anchor="mm"
        )
    elif sort == "letter":
        draw.text(
            (190, 195),
            content.choice("ABCDEFGHKLMNPRSTUXYZ!?"),
            ink,
            base.font(base.face_of(template), 140),
            anchor="mm",
        )
    else:
        glyph(draw, content, (190, 205), 75, ink)
    return image


def glyph(
    draw: ImageDraw.ImageDraw,
    rng: random.Random,
    centre: tuple[float, float],
    radius: float,
    ink: base.Colour,
) -> None:
    """A random symmetric sign: a few polygons, discs and strokes."""
    x, y = centre
    for _ in range(rng.randint(2, 4)):
        sort = rng.randrange(4)
        if sort == 0:
            points = [
                (rng.uniform(0, radius), rng.uniform(-radius, radius)) for _ in range(rng.randint(2, 4))
            ]
            draw.polygon(
                [(x + a, y + b) for a, b in points] + [(x - a, y + b) for a, b in reversed(points)], ink
            )
        elif sort == 1:
            r, b = rng.uniform(0.15, 0.5) * radius, rng.uniform(-0.5, 0.5) * radius
            draw.ellipse((x - r, y + b - r, x + r, y + b + r), ink)
        elif sort == 2:
            a, b, c = rng.uniform(0.2, 1) * radius, rng.uniform(-1, 0) * radius, rng.uniform(0, 1) * radius
            draw.line((x - a, y + c, x, y + b, x + a, y + c), ink, round(rng.uniform(0.08, 0.25) * radius))
        else:
            r = rng.uniform(0.5, 1) * radius
            start = rng.uniform(0, 360)
            draw.arc(
                (x - r, y - r, x + r, y + r), start, start + rng.uniform(90, 270), ink, round(0.2 * radius)
            )


def flag(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 480, template.choice((280, 320, 360))
    image, draw = base.canvas(width, height)
    sort, count = template.choice(("upright", "level", "cross", "saltire", "canton")), template.randint(2, 5)
    shades = [base.colour(content) for _ in range(count)]
    for k, shade in enumerate(shades):
        if sort == "upright":
            draw.rectangle((k * width / count, 0, (k + 1) * width / count, height), shade)
        else:
            draw.rectangle((0, k * height / count, width, (k + 1) * height / count), shade)
    if sort == "cross":
        draw.line((width * 0.36, 0, width * 0.36, height), base.colour(content), 50)
        draw.line((0, height / 2, width, height / 2), base.colour(content), 50)
    elif sort == "saltire":
        draw.line((0, 0, width, height), base.colour(content), 44)
        draw.line((0, height, width, 0), base.colour(content), 44)
    elif sort == "canton":
        draw.rectangle((0, 0, width * 0.42, height * 0.5), base.colour(content))
    if content.random() < 0.4:
        draw.regular_polygon((width * 0.2, height * 0.25, 40), content.randint(3, 8), 0, base.colour(content))
    return image


def icon(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Icons of one set: the same tile, other signs."""
    side = 320
    image, draw = base.canvas(side, side, base.pale(template))
    draw.rounded_rectangle((20, 20, 300, 300), template.choice((0, 40, 70, 140)), base.colour(template))
    glyph(draw, content, (160, 160), 95, base.pale(template))
    return image


def face_mark(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Drawn faces: the same head, other eyes and mouths."""
    side = 320
    image, draw = base.canvas(side, side, base.pale(template))
    skin, ink = base.colour(template, 120, 255), base.dark(template)
    draw.ellipse((16, 16, 304, 304), skin, ink, template.randint(1, 8))
    eye, high = content.randint(8, 26), content.uniform(0.6, 2)
    apart = content.randint(40, 75)
    for sign in (-1, 1):
        x = 160 + sign * apart
        if content.random() < 0.75:
            draw.ellipse((x - eye, 120 - eye * high, x + eye, 120 + eye * high), ink)
        else:
            draw.arc((x - eye, 110, x + eye, 140), 180, 360, ink, 8)
    wide, tall, y = content.randint(24, 90), content.randint(10, 60), content.randint(190, 225)
    sort, box = content.randrange(4), (160 - wide, y - tall, 160 + wide, y + tall)
    if sort == 0:
        draw.arc(box, 10, 170, ink, 9)
    elif sort == 1:
        draw.arc(box, 190, 350, ink, 9)
    elif sort == 2:
        draw.chord(box, 0, 180, ink)
    else:
        draw.ellipse((160 - tall / 2, y - tall, 160 + tall / 2, y + tall), ink)
    return image


def map_marks(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One map with other markers and routes."""
    width, height = 560, 400
    image = terrain(template, width, height)
    draw = ImageDraw.Draw(image)
    for _ in range(template.randint(8, 20)):
        line = [(template.randint(0, width), template.randint(0, height)) for _ in range(3)]
        draw.line(line, base.WHITE, template.choice((2, 4, 7)))
    accent = base.colour(template, 0, 220)
    if content.random() < 0.5:
        route = [(content.randint(20, width - 20), content.randint(20, height - 20)) for _ in range(5)]
        draw.line(route, accent, 6, joint="curve")
    for _ in range(content.randint(2, 7)):
        x, y = content.randint(30, width - 30), content.randint(60, height - 10)
        draw.ellipse((x - 14, y - 44, x + 14, y - 16), accent)
        draw.polygon(((x - 13, y - 26), (x + 13, y - 26), (x, y)), accent)
    return image


def terrain(template: random.Random, width: int, height: int) -> Image.Image:
    coarse = np.random.default_rng(template.randrange(2**32)).random((7, 10)) * 255
    field = np.asarray(
        Image.fromarray(coarse.astype(np.uint8)).resize((width, height), Image.Resampling.BICUBIC)
    )
    land, water = base.colour(template, 180, 245), base.colour(template, 140, 235)
    return Image.fromarray(np.where(field[..., None] > 120, land, water).astype(np.uint8))


def choropleth(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """One map of regions in other shades."""
    width, height, count = 520, 360, template.randint(15, 50)
    rng = np.random.default_rng(template.randrange(2**32))
    seeds = rng.random((count, 2)) * (width, height)
    y, x = np.mgrid[:height, :width]
    near = np.argmin((x[..., None] - seeds[:, 0]) ** 2 + (y[..., None] - seeds[:, 1]) ** 2, axis=-1)
    first, last = np.array(base.colour(template, 180, 255)), np.array(base.colour(template, 0, 140))
    levels = np.array([content.randint(0, 5) / 5 for _ in range(count)])[:, None]
    shades = (first + levels * (last - first)).astype(np.uint8)
    edge = (np.diff(near, axis=0, prepend=near[:1]) != 0) | (np.diff(near, axis=1, prepend=near[:, :1]) != 0)
    return Image.fromarray(np.where(edge[..., None], np.uint8(60), shades[near]))


def pattern(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Stripes, checks, rings, dots, gradients of one sort in other measures."""
    side = 360
    y, x = np.mgrid[:side, :side].astype(np.float32)
    sort = template.choice(("stripes", "checks", "rings", "dots", "ramp"))
    first, second = (np.array(base.colour(template)) for _ in range(2))
    period, phase = content.uniform(16, 90), content.uniform(0, 60)
    angle = content.uniform(0, math.pi)
    along = x * math.cos(angle) + y * math.sin(angle) + phase
    across = -x * math.sin(angle) + y * math.cos(angle) + phase
    if sort == "stripes":
        level = (along // period) % 2
    elif sort == "checks":
        level = (along // period + across // period) % 2
    elif sort == "rings":
        cx, cy = content.uniform(60, 300), content.uniform(60, 300)
        level = (np.hypot(x - cx, y - cy) // period) % 2
    elif sort == "dots":
        level = (np.hypot(along % period - period / 2, across % period - period / 2) < period * 0.3) * 1.0
    else:
        level = (along - along.min()) / float(np.ptp(along))
        first, second = (np.array(base.colour(content)) for _ in range(2))
    return Image.fromarray((first + level[..., None] * (second - first)).astype(np.uint8))


GRAPHICS: tuple[Kind, ...] = (
    chart,
    pie,
    clock,
    gauge,
    card,
    road_sign,
    flag,
    icon,
    face_mark,
    map_marks,
    choropleth,
    pattern,
)
