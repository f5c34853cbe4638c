"""Papers: letters, forms, receipts, tables, articles, tickets, certificates, sheet music, handwriting."""

from __future__ import annotations

import random

from PIL import Image

from datasets.rendered import base
from datasets.rendered.base import Kind, Photos


def letter(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 460, 640
    image, draw = base.canvas(width, height)
    face, size = base.face_of(template), template.randint(11, 15)
    ink, accent = base.dark(template), base.colour(template)
    head = template.choice(("bar", "mark", "none"))
    if head == "bar":
        draw.rectangle((0, 0, width, template.randint(20, 60)), accent)
    elif head == "mark":
        x = template.choice((30, width - 110))
        draw.ellipse((x, 24, x + 50, 74), accent)
    draw.text((100, 40), base.title(template, 2), accent, base.font(face, 22))
    paragraph_gap = template.uniform(1.2, 1.7)
    y = template.randint(110, 150)
    for _ in range(3):
        draw.text((40, y), base.words(content, 2), ink, base.font(face, size))
        y += round(size * 1.4)
    draw.text((width - 130, y), base.date(content), ink, base.font(face, size))
    y = (
        round(base.paragraph(draw, (40, y + 30), base.title(content, 4), width - 80, face, size + 3, ink))
        + 10
    )
    while y < height - 90:
        text = base.words(content, content.randint(15, 50))
        y = round(base.paragraph(draw, (40, y), text, width - 80, face, size, ink, paragraph_gap)) + size
        if content.random() < 0.15:
            break
    draw.line((40, height - 30, width - 40, height - 30), accent, 2)
    return base.scanned(image, content) if template.random() < 0.5 else image


def form(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = template.choice(((480, 640), (640, 480), (480, 560)))
    image, draw = base.canvas(width, height, base.pale(template))
    face, ink = base.face_of(template), base.dark(template)
    draw.text((30, 20), base.title(template, 3).upper(), ink, base.font(face, 22))
    columns, rows = template.randint(1, 3), template.randint(5, 10)
    boxed, hand = template.random() < 0.6, base.face_of(template)
    pen = base.colour(content, 0, 120)
    step, cell = (height - 80) / rows, (width - 60) / columns
    for row in range(rows):
        for column in range(columns):
            x, y = 30 + column * cell, 64 + row * step
            draw.text((x, y), base.title(template, template.randint(1, 2)), ink, base.font(face, 11))
            field = (x, y + 14, x + cell - 12, y + step - 6)
            if template.random() < 0.15:
                for k in range(3):
                    box = (x + k * 50, y + 18, x + k * 50 + 12, y + 30)
                    draw.rectangle(box, outline=ink)
                    if content.random() < 0.4:
                        draw.line(box, pen, 3)
                continue
            if boxed:
                draw.rectangle(field, outline=ink)
            else:
                draw.line((field[0], field[3], field[2], field[3]), ink)
            if content.random() < 0.85:
                shown = content.choice(
                    (base.name, base.date, lambda r: base.number(r, 7), lambda r: base.words(r, 3))
                )
                draw.text(
                    (x + 6, y + 16), shown(content), pen, base.font(hand, max(10, min(20, round(step - 26))))
                )
    return base.scanned(image, content) if template.random() < 0.5 else image


def receipt(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 320, template.randint(480, 760)
    paper = template.randint(225, 255)
    image, draw = base.canvas(width, height, (paper, paper, template.randint(paper - 15, paper)))
    face, size, ink = base.face_of(template), template.randint(12, 16), base.colour(template, 0, 90)
    y = 20
    for k in range(template.randint(2, 5)):
        line = base.title(template, 2).upper() if k == 0 else base.words(template, 3)
        draw.text((width / 2, y), line, ink, base.font(face, size + (8 if k == 0 else 0)), anchor="mt")
        y += size + (16 if k == 0 else 6)
    draw.text(
        (20, y + 6),
        f"{base.date(content)}  {content.randint(0, 23):02}:{content.randint(0, 59):02}",
        ink,
        base.font(face, size),
    )
    y += size + 16
    rule = template.choice("-=*.")
    step = size + template.randint(3, 8)
    items = content.randint(3, max(4, (height - y - 130) // step))
    draw.text((16, y), rule * 60, ink, base.font(face, size))
    for _ in range(items):
        y += step
        draw.text((20, y), base.words(content, content.randint(1, 2)).upper(), ink, base.font(face, size))
        draw.text((width - 20, y), base.amount(content), ink, base.font(face, size), anchor="ra")
    y += step
    draw.text((16, y), rule * 60, ink, base.font(face, size))
    draw.text((20, y + step), template.choice(("TOTAL", "SUM", "SUMME")), ink, base.font(face, size + 6))
    draw.text((width - 20, y + step), base.amount(content), ink, base.font(face, size + 6), anchor="ra")
    draw.text((width / 2, y + 3 * step), base.words(template, 4), ink, base.font(face, size), anchor="mt")
    return base.scanned(image, content)


def table(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = template.choice(((600, 420), (500, 500), (440, 600)))
    image, draw = base.canvas(width, height, base.pale(template))
    face, ink, head = base.face_of(template), base.dark(template), base.colour(template, 60, 255)
    rows, columns = template.randint(8, 24), template.randint(3, 9)
    lines, striped, stripe = template.random() < 0.6, template.random() < 0.4, base.colour(template, 220, 250)
    step, cell = (height - 60) / rows, (width - 40) / columns
    size = max(8, min(16, round(step * 0.62)))
    textual = template.sample(range(columns), max(1, columns // 4))
    draw.text((20, 10), base.title(template, 3), ink, base.font(face, 18))
    for row in range(rows):
        y = 44 + row * step
        if row == 0 or (striped and row % 2):
            draw.rectangle((20, y, width - 20, y + step), head if row == 0 else stripe)
        for column in range(columns):
            x = 20 + column * cell
            if lines:
                draw.rectangle((x, y, x + cell, y + step), outline=(170, 170, 170))
            if row == 0:
                draw.text((x + 4, y + 2), base.word(template).title(), ink, base.font(face, size))
            elif column in textual:
                draw.text((x + 4, y + 2), base.word(content), ink, base.font(face, size))
            elif content.random() < 0.92:
                draw.text((x + cell - 4, y + 2), number_of(content), ink, base.font(face, size), anchor="ra")
    return image


def number_of(rng: random.Random) -> str:
    return rng.choice((base.amount(rng), base.number(rng, rng.randint(1, 5)), f"{rng.randint(0, 100)} %"))


def article(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 480, template.randint(560, 680)
    image, draw = base.canvas(width, height, base.pale(template))
    face, heading, accent = base.face_of(template), base.face_of(template), base.colour(template, 0, 160)
    bar = template.randint(30, 60)
    draw.rectangle((0, 0, width, bar), accent)
    draw.text((20, bar // 5), base.title(template, 3), base.WHITE, base.font(heading, bar // 2))
    y = round(
        base.paragraph(draw, (20, bar + 14), base.title(content, 7), width - 40, heading, 24, base.BLACK)
    )
    shown = base.filled(photos(content), width - 40, template.randint(150, 240))
    image.paste(shown, (20, y + 8))
    y += shown.height + 20
    columns = template.randint(1, 3)
    cell = (width - 20) / columns
    for column in range(columns):
        text = base.words(content, 260 // columns)
        base.paragraph(draw, (20 + column * cell, y), text, cell - 24, face, 11, base.BLACK)
    return image


def ticket(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 640, 280
    image, draw = base.canvas(width, height, base.colour(template, 180, 255))
    face, ink, accent = base.face_of(template), base.dark(template), base.colour(template, 0, 200)
    draw.rectangle((0, 0, width, 54), accent)
    draw.text((20, 12), base.title(template, 2).upper(), base.WHITE, base.font(face, 28))
    for k in range(3):
        draw.text((24, 70 + k * 64), base.title(template, 1), ink, base.font(face, 12))
        draw.text((24, 88 + k * 64), base.title(content, 2).upper(), ink, base.font(face, 26))
        draw.text((320, 88 + k * 64), base.date(content), ink, base.font(face, 20))
    x = 480
    while x < 620:
        bar = content.choice((2, 3, 5, 7))
        draw.rectangle((x, 80, x + bar, 250), base.BLACK)
        x += bar + content.choice((2, 3, 5))
    return image


def certificate(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 640, 460
    image, draw = base.canvas(width, height, base.pale(template))
    face, accent = base.face_of(template), base.colour(template, 0, 190)
    for k in range(template.randint(1, 4)):
        draw.rectangle(
            (8 + k * 8, 8 + k * 8, width - 8 - k * 8, height - 8 - k * 8),
            outline=accent,
            width=template.randint(1, 4),
        )
    draw.text((320, 80), base.title(template, 3), accent, base.font(face, 36), anchor="mm")
    draw.text((320, 130), base.words(template, 5), base.BLACK, base.font(face, 16), anchor="mm")
    draw.text((320, 210), base.name(content), base.BLACK, base.font(base.face_of(template), 40), anchor="mm")
    base.paragraph(draw, (110, 260), base.words(content, 24), 420, face, 16, base.BLACK)
    draw.text((110, 400), base.date(content), base.BLACK, base.font(face, 16))
    x, y = 460.0, 400.0
    points = [(x, y)]
    for _ in range(14):
        x += content.uniform(2, 12)
        points.append((x, y + content.uniform(-22, 14)))
    draw.line(points, (20, 20, 120), 2, joint="curve")
    return base.scanned(image, content) if template.random() < 0.4 else image


def music(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 520, 640
    image, draw = base.canvas(width, height)
    systems, gap = template.randint(4, 8), template.randint(5, 8)
    draw.text(
        (width / 2, 24),
        base.title(template, 3),
        base.BLACK,
        base.font(base.face_of(template), 24),
        anchor="mm",
    )
    step = (height - 90) / systems
    for system in range(systems):
        top = 70 + system * step
        for k in range(5):
            draw.line((30, top + k * gap, width - 30, top + k * gap), base.BLACK)
        x = 60.0
        while x < width - 50:
            y = top + gap / 2 * content.randint(-2, 10)
            draw.ellipse(
                (x, y - gap / 2, x + gap * 1.4, y + gap / 2),
                base.BLACK if content.random() < 0.7 else None,
                base.BLACK,
            )
            stem = x + (gap * 1.4 if y > top + 2 * gap else 0)
            draw.line((stem, y, stem, y + (-3 if y > top + 2 * gap else 3) * gap), base.BLACK, 2)
            x += content.uniform(2.2, 6) * gap
        for bar in range(1, 5):
            at = 30 + bar * (width - 60) / 4
            draw.line((at, top, at, top + 4 * gap), base.BLACK, 2)
    return image


def notes(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Handwriting on ruled paper."""
    width, height = 460, 600
    image, draw = base.canvas(width, height, base.pale(template))
    gap, rule = template.randint(22, 34), base.colour(template, 150, 230)
    squared = template.random() < 0.4
    for top in range(40, height, gap):
        draw.line((0, top, width, top), rule)
    for left in range(0, width, gap) if squared else (60,):
        draw.line((left, 0, left, height), rule if squared else (230, 120, 120))
    pen = base.colour(content, 0, 110)
    for line in range(40 + gap, height - gap, gap):
        x, y = 70.0, float(line)
        if content.random() < 0.12:
            continue
        while x < width - content.randint(30, 160):
            points = [(x, y - 3.0)]
            for _ in range(content.randint(4, 16)):
                x += content.uniform(2, 6)
                points.append((x, y - content.uniform(0, gap * 0.75)))
            draw.line(points, pen, 2, joint="curve")
            x += content.uniform(8, 16)
    return base.scanned(image, content)


PAPERS: tuple[Kind, ...] = (letter, form, receipt, table, article, ticket, certificate, music, notes)
