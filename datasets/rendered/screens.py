"""Screens: windows, chats, posts, editors, terminals, shops, phones, players, dashboards."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw
from PIL.ImageDraw import ImageDraw as Draw

from datasets.rendered import base
from datasets.rendered.base import Colour, Kind, Photos


def scheme(rng: random.Random) -> tuple[Colour, Colour, Colour, Colour]:
    """Ground, panel, ink and accent, light or dark."""
    accent = base.colour(rng, 30, 230)
    if rng.random() < 0.6:
        level = rng.randint(238, 255)
        return (level, level, level), (level - 14, level - 14, level - 10), base.colour(rng, 0, 60), accent
    level = rng.randint(16, 50)
    return (level, level, level + 4), (level + 14, level + 14, level + 18), base.colour(rng, 190, 255), accent


def window(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """An application: menu, tool bar, side list and a work area, which may be almost empty."""
    width, height = template.choice(((640, 420), (600, 480), (560, 400)))
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face, size = base.face_of(template), template.randint(10, 13)
    draw.rectangle((0, 0, width, 22), accent if template.random() < 0.4 else panel)
    draw.text((width / 2, 11), base.title(content, 2), ink, base.font(face, size), anchor="mm")
    x = 8.0
    for _ in range(template.randint(3, 8)):
        label = base.word(template).title()
        draw.text((x, 26), label, ink, base.font(face, size))
        x += draw.textlength(label, base.font(face, size)) + 14
    tools = template.randint(0, 14)
    for k in range(tools):
        shape = (10 + k * 30, 46, 30 + k * 30, 66)
        (draw.rectangle if template.random() < 0.5 else draw.ellipse)(shape, base.colour(template, 60, 200))
    side = template.choice((0, 0, 110, 150))
    top = 74 if tools else 46
    if side:
        draw.rectangle((0, top, side, height), panel)
        for k in range(content.randint(3, 14)):
            chosen = content.random() < 0.1
            if chosen:
                draw.rectangle((0, top + 4 + k * 22, side, top + 24 + k * 22), accent)
            draw.text((10, top + 8 + k * 22), base.words(content, 2), ink, base.font(face, size))
    draw.rectangle((0, height - 18, width, height), panel)
    draw.text((8, height - 16), base.words(content, 3), ink, base.font(face, size - 1))
    work = (side + 16, top + 12, width - 16, height - 30)
    fill_work(draw, image, work, template, content, photos, (ink, panel, accent))
    return image


def fill_work(
    draw: Draw,
    image: Image.Image,
    area: tuple[int, int, int, int],
    template: random.Random,
    content: random.Random,
    photos: Photos,
    colours: tuple[Colour, Colour, Colour],
) -> None:
    """The contents of a window, of a sort that the content decides."""
    left, top, right, bottom = area
    ink, panel, accent = colours
    face = base.face_of(template)
    sort = content.choice(("text", "photo", "dialog", "fields", "tiles", "list"))
    if sort == "text":
        y = float(top)
        while y < bottom - 60:
            y = (
                base.paragraph(
                    draw, (left, y), base.words(content, content.randint(6, 30)), right - left, face, 12, ink
                )
                + 8
            )
    elif sort == "photo":
        wide, high = content.randint(120, right - left), content.randint(100, bottom - top)
        x, y = content.randint(left, right - wide), content.randint(top, bottom - high)
        image.paste(base.filled(photos(content), wide, high), (x, y))
    elif sort == "dialog":
        wide, high = content.randint(180, 320), content.randint(90, 180)
        x, y = content.randint(left, max(left, right - wide)), content.randint(top, max(top, bottom - high))
        draw.rectangle((x, y, x + wide, y + high), panel, accent, 2)
        base.paragraph(
            draw, (x + 12, y + 12), base.words(content, content.randint(5, 18)), wide - 24, face, 12, ink
        )
        draw.rectangle((x + wide - 80, y + high - 34, x + wide - 12, y + high - 10), accent)
    elif sort == "fields":
        for k in range(content.randint(2, 8)):
            y = top + k * 34
            draw.text((left, y + 4), base.word(content).title(), ink, base.font(face, 12))
            draw.rectangle((left + 110, y, left + 110 + content.randint(60, 220), y + 22), outline=ink)
    elif sort == "tiles":
        side = content.choice((60, 80, 100))
        for x in range(left, right - side, side + 14):
            for y in range(top, bottom - side, side + 24):
                if content.random() < 0.8:
                    draw.rectangle((x, y, x + side, y + side), base.colour(content))
    else:
        for k in range(content.randint(2, (bottom - top) // 18)):
            y = top + k * 18
            draw.rectangle((left, y + 2, left + 12, y + 14), base.colour(content))
            draw.text((left + 20, y), base.words(content, content.randint(1, 5)), ink, base.font(face, 11))


def chat(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 360, template.randint(520, 700)
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face, size = base.face_of(template), template.randint(12, 16)
    draw.rectangle((0, 0, width, 50), accent)
    draw.ellipse((10, 8, 44, 42), base.colour(content))
    draw.text((56, 14), base.name(content), base.WHITE, base.font(face, 18))
    y, radius = 64.0, template.choice((0, 8, 16))
    while y < height - 90:
        own, lines = content.random() < 0.5, content.randint(1, 4)
        wide = content.randint(110, 240)
        x = width - wide - 10 if own else 10
        high = lines * size * 1.4 + 12
        if content.random() < 0.1:
            image.paste(base.filled(photos(content), wide, 110), (x, round(y)))
            y += 122
            continue
        draw.rounded_rectangle((x, y, x + wide, y + high), radius, accent if own else panel)
        base.paragraph(
            draw, (x + 8, y + 6), base.words(content, lines * wide // 55), wide - 16, face, size, ink
        )
        y += high + 10
    draw.rounded_rectangle((10, height - 40, width - 60, height - 8), 16, panel)
    draw.ellipse((width - 46, height - 42, width - 10, height - 6), accent)
    return image


def post(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 500, template.choice((260, 320, 520))
    ground, _, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face, size = base.face_of(template), template.randint(17, 24)
    draw.ellipse((16, 16, 66, 66), base.colour(content))
    draw.text((78, 18), base.name(content), ink, base.font(face, 20))
    draw.text((78, 44), "@" + base.word(content), accent, base.font(face, 15))
    y = base.paragraph(
        draw, (18, 84), base.words(content, content.randint(8, 26)), width - 36, face, size, ink
    )
    if height > 400:
        image.paste(base.filled(photos(content), width - 36, 200), (18, min(round(y) + 6, 280)))
    for k in range(4):
        x = 20 + k * 110
        draw.ellipse((x, height - 30, x + 16, height - 14), outline=accent, width=2)
        draw.text((x + 22, height - 32), base.number(content, 3), ink, base.font(face, 14))
    return image


def editor(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Program text, in an editor or a terminal."""
    width, height = 600, template.choice((400, 440))
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    mono = [name for name in base.typefaces() if "Mono" in name] or [""]
    face, step = template.choice(mono), template.randint(13, 19)
    shades = [base.colour(template, *((0, 170) if ground[0] > 128 else (110, 255))) for _ in range(4)]
    numbered, margin = template.random() < 0.6, template.choice((0, 0, 120))
    draw.rectangle((0, 0, width, 26), panel)
    draw.text(
        (margin + 10, 5),
        base.word(content) + template.choice((".py", ".c", ".js", ".rs")),
        ink,
        base.font(face, 13),
    )
    if margin:
        draw.rectangle((0, 26, margin, height), panel)
        for k in range(content.randint(4, 18)):
            draw.text((8, 34 + k * 18), base.word(content), ink, base.font(face, 11))
    indent = 0
    for line in range((height - 34) // step):
        y = 32 + line * step
        if numbered:
            draw.text((margin + 6, y), str(line + 1), accent, base.font(face, step - 4))
        indent = max(0, min(5, indent + content.choice((-1, 0, 0, 1))))
        x = margin + 40 + indent * 24.0
        for _ in range(content.randint(0, 6)):
            part = base.word(content) + content.choice(("", "(", ")", " =", ":", ","))
            draw.text((x, y), part, content.choice(shades), base.font(face, step - 4))
            x += draw.textlength(part + " ", base.font(face, step - 4))
    return image


def shop(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A page of products: the same grid, other goods."""
    width, height = 600, 520
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face = base.face_of(template)
    draw.rectangle((0, 0, width, 44), accent)
    draw.text((16, 8), base.title(template, 1), base.WHITE, base.font(face, 24))
    draw.rounded_rectangle((180, 10, 520, 34), 8, base.WHITE)
    columns, rows = template.randint(2, 4), template.randint(2, 3)
    cell, step = (width - 20) // columns, (height - 60) // rows
    for column in range(columns):
        for row in range(rows):
            x, y = 14 + column * cell, 56 + row * step
            draw.rectangle((x, y, x + cell - 10, y + step - 10), panel)
            image.paste(base.filled(photos(content), cell - 26, step - 70), (x + 8, y + 8))
            draw.text((x + 8, y + step - 58), base.words(content, 2), ink, base.font(face, 13))
            draw.text((x + 8, y + step - 38), base.amount(content), accent, base.font(face, 17))
    return image


def phone(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A phone's settings or list: rows of text with switches."""
    width, height = 320, 640
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face, step = base.face_of(template), template.randint(44, 70)
    draw.text((14, 6), f"{content.randint(0, 23):02}:{content.randint(0, 59):02}", ink, base.font(face, 13))
    draw.text((20, 34), base.title(content, 1), ink, base.font(face, 26))
    icons, switches = template.random() < 0.6, template.random() < 0.5
    for k in range((height - 90) // step):
        y = 84 + k * step
        draw.line((0, y, width, y), panel, 2)
        x = 16
        if icons:
            draw.rounded_rectangle((12, y + 10, 40, y + 38), 6, base.colour(content, 40, 230))
            x = 54
        draw.text(
            (x, y + 8), base.words(content, content.randint(1, 3)).capitalize(), ink, base.font(face, 15)
        )
        if content.random() < 0.5:
            draw.text((x, y + 26), base.words(content, 4), accent, base.font(face, 11))
        if switches:
            on = content.random() < 0.5
            draw.rounded_rectangle((268, y + 12, 306, y + 32), 10, accent if on else panel, ink)
            draw.ellipse((288 if on else 270, y + 13, 305 if on else 287, y + 31), base.WHITE)
    return image


def player(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A game or a film with its display on top: the display stays, the scene changes."""
    width, height = 600, 340
    image = base.filled(photos(content), width, height)
    draw = ImageDraw.Draw(image)
    _, panel, ink, accent = scheme(template)
    face = base.face_of(template)
    draw.rectangle((0, height - 46, width, height), panel)
    for k in range(template.randint(2, 9)):
        draw.rectangle((170 + k * 44, height - 42, 206 + k * 44, height - 6), base.colour(template), ink, 2)
    draw.rectangle((12, height - 36, 12 + content.randint(20, 140), height - 24), (200, 40, 40))
    draw.rectangle((12, height - 20, 12 + content.randint(20, 140), height - 8), (40, 80, 220))
    x = template.choice((14, width - 104))
    draw.ellipse((x, 12, x + 90, 102), panel, ink, 3)
    at = x + content.randint(15, 70), content.randint(25, 85)
    draw.ellipse((at[0] - 4, at[1] - 4, at[0] + 4, at[1] + 4), accent)
    draw.text((width / 2, 10), base.number(content, 4), ink, base.font(face, 22), anchor="mt")
    return image


def dashboard(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 620, 420
    ground, panel, ink, accent = scheme(template)
    image, draw = base.canvas(width, height, ground)
    face = base.face_of(template)
    draw.rectangle((0, 0, width, 36), accent)
    draw.text((14, 8), base.title(template, 2), base.WHITE, base.font(face, 18))
    for k in range(4):
        x = 12 + k * 152
        draw.rectangle((x, 48, x + 140, 118), panel)
        draw.text((x + 10, 54), base.title(template, 1), ink, base.font(face, 12))
        draw.text((x + 10, 74), base.number(content, content.randint(2, 5)), accent, base.font(face, 28))
    draw.rectangle((12, 130, 400, 400), panel)
    values = [content.random() for _ in range(24)]
    points = [(22 + k * 16, 390 - 240 * value) for k, value in enumerate(values)]
    draw.line(points, accent, 3)
    draw.rectangle((412, 130, 608, 400), panel)
    for k in range(10):
        long = content.randint(10, 180)
        draw.rectangle((420, 144 + k * 25, 420 + long, 160 + k * 25), base.colour(template, 40, 230))
    return image


SCREENS: tuple[Kind, ...] = (window, chat, post, editor, shop, phone, player, dashboard)
