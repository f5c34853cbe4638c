"""Codes and puzzles: matrix codes, bar codes, sudokus, crosswords, mazes, board positions, calendars."""

from __future__ import annotations

import random

import numpy as np
from PIL import Image

from datasets.rendered import base
from datasets.rendered.base import Kind, Photos


def matrix_code(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """Squares with three (or one) finder marks, as phones read them."""
    side, marks = template.choice((21, 25, 29, 33, 41)), template.choice((3, 3, 1))
    rng = np.random.default_rng(content.randrange(2**32))
    cells = rng.random((side, side)) < 0.5
    for top, left in ((0, 0), (0, side - 7), (side - 7, 0))[:marks]:
        cells[max(0, top - 1) : top + 8, max(0, left - 1) : left + 8] = False
        cells[top : top + 7, left : left + 7] = True
        cells[top + 1 : top + 6, left + 1 : left + 6] = False
        cells[top + 2 : top + 5, left + 2 : left + 5] = True
    if marks == 1:
        cells[-1], cells[:, 0] = True, True
    ink, ground = np.array(base.dark(template)), np.array(base.pale(template))
    quiet, scale = template.randint(1, 4), template.choice((8, 10, 12))
    padded = np.pad(cells, quiet)
    picture = np.where(padded[..., None], ink, ground).astype(np.uint8)
    image = Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1))
    if template.random() < 0.4:
        page, draw = base.canvas(image.width, image.height + 60, base.pale(template))
        page.paste(image, (0, 0))
        draw.text(
            (page.width / 2, image.height + 30),
            base.words(template, 2),
            base.BLACK,
            base.font(base.face_of(template), 24),
            anchor="mm",
        )
        return page
    return image


def bar_code(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 480, template.randint(200, 340)
    image, draw = base.canvas(width, height, base.pale(template))
    unit, x = template.choice((2, 3)), 30
    while x < width - 36:
        bar = unit * content.randint(1, 4)
        draw.rectangle((x, 24, x + bar - 1, height - 60), base.BLACK)
        x += bar + unit * content.randint(1, 4)
    draw.text(
        (width / 2, height - 34),
        base.number(content, 12),
        base.BLACK,
        base.font(base.face_of(template), 28),
        anchor="mm",
    )
    return image


def sudoku(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    side, margin = 450, template.randint(4, 24)
    image, draw = base.canvas(side, side, base.pale(template))
    cell, ink = (side - 2 * margin) / 9, base.dark(template)
    face, share = base.face_of(template), template.uniform(0.25, 0.9)
    for k in range(10):
        at = margin + k * cell
        thick = 4 if k % 3 == 0 else 1
        draw.line((margin, at, side - margin, at), ink, thick)
        draw.line((at, margin, at, side - margin), ink, thick)
    for row in range(9):
        for column in range(9):
            if content.random() < share:
                middle = margin + (column + 0.5) * cell, margin + (row + 0.5) * cell
                draw.text(
                    middle, str(content.randint(1, 9)), ink, base.font(face, round(cell * 0.65)), anchor="mm"
                )
    return image


def crossword(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    count = template.choice((11, 13, 15))
    cell = 440 // count
    image, draw = base.canvas(cell * count, cell * count)
    face = base.face_of(template)
    black = np.random.default_rng(content.randrange(2**32)).random((count, count)) < 0.22
    for row in range(count):
        for column in range(count):
            x, y = column * cell, row * cell
            draw.rectangle((x, y, x + cell, y + cell), base.BLACK if black[row, column] else None, base.BLACK)
            if not black[row, column] and content.random() < 0.7:
                letter = content.choice("ABCDEFGHIKLMNOPRSTUVWZ")
                draw.text(
                    (x + cell / 2, y + cell / 2),
                    letter,
                    base.BLACK,
                    base.font(face, round(cell * 0.6)),
                    anchor="mm",
                )
    return image


def maze(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    count, ink = template.choice((12, 16, 20, 24)), np.array(base.dark(template))
    walls = np.ones((2 * count + 1, 2 * count + 1), np.bool_)
    stack = [(content.randrange(count), content.randrange(count))]
    seen = set(stack)
    walls[2 * stack[0][0] + 1, 2 * stack[0][1] + 1] = False
    while stack:
        row, column = stack[-1]
        steps = [(row + a, column + b) for a, b in ((0, 1), (1, 0), (0, -1), (-1, 0))]
        free = [(r, c) for r, c in steps if 0 <= r < count and 0 <= c < count and (r, c) not in seen]
        if not free:
            stack.pop()
            continue
        chosen = content.choice(free)
        seen.add(chosen)
        stack.append(chosen)
        walls[2 * chosen[0] + 1, 2 * chosen[1] + 1] = False
        walls[row + chosen[0] + 1, column + chosen[1] + 1] = False
    scale = 480 // (2 * count + 1)
    picture = np.where(walls[..., None], ink, np.array(base.pale(template))).astype(np.uint8)
    return Image.fromarray(picture.repeat(scale, 0).repeat(scale, 1))


def board(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    """A game on a board of squares with round pieces."""
    count, side = template.choice((8, 8, 10, 9)), 440
    cell = side / count
    light, deep = base.colour(template, 170, 255), base.colour(template, 50, 190)
    first, second = base.colour(template), base.colour(template)
    image, draw = base.canvas(side, side, light)
    for row in range(count):
        for column in range(count):
            x, y = column * cell, row * cell
            if (row + column) % 2:
                draw.rectangle((x, y, x + cell, y + cell), deep)
            if content.random() < 0.35:
                shape = (x + cell * 0.15, y + cell * 0.15, x + cell * 0.85, y + cell * 0.85)
                draw.ellipse(shape, content.choice((first, second)), base.BLACK, 2)
    return image


def calendar(template: random.Random, content: random.Random, photos: Photos) -> Image.Image:
    width, height = 480, template.choice((420, 600))
    image, draw = base.canvas(width, height, base.pale(template))
    face, accent = base.face_of(template), base.colour(template, 0, 200)
    top = 70
    if height == 600:
        image.paste(base.filled(photos(content), width, 220), (0, 0))
        top = 270
    draw.text((width / 2, top - 26), base.title(content, 1), accent, base.font(face, 28), anchor="mm")
    first, step = content.randint(0, 6), (height - top - 10) / 6
    for day in range(content.choice((28, 30, 31))):
        row, column = divmod(first + day, 7)
        x, y = 10 + column * 66, top + row * step
        draw.rectangle((x, y, x + 66, y + step), outline=(150, 150, 150))
        draw.text((x + 6, y + 4), str(day + 1), base.BLACK, base.font(face, 16))
        if content.random() < 0.2:
            draw.rectangle((x + 4, y + step * 0.5, x + 60, y + step - 4), base.colour(content, 100, 240))
    return image


CODES: tuple[Kind, ...] = (matrix_code, bar_code, sudoku, crossword, maze, board, calendar)
