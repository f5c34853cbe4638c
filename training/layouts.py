"""Edits of layout: any rotation, captions, large overlays, collages, insets, pages, cut-outs.

All work on squares of RGB bytes.
"""

from __future__ import annotations

import math

import cv2
import numpy as np

from training.dice import Bytes, Dice, as_bytes, resized, resized2

Cell = tuple[float, float, float, float]
"""Left, top, width and height as shares of the side."""


def rotated(dice: Dice, image: Bytes) -> Bytes:
    """Turned by any angle: the corners cut, or the whole picture inside, or only what needs no filling."""
    side = image.shape[0]
    angle, stretch = math.radians(dice.uniform(-180, 180)), math.exp(dice.uniform(-0.35, 0.35))
    reach = abs(math.cos(angle)) + abs(math.sin(angle)) * max(stretch, 1 / stretch)
    style = dice.rng.random()
    scale = 1 / reach if style < 0.45 else 1.0 if style < 0.75 else reach
    turn = np.array(
        [[math.cos(angle), -math.sin(angle) / stretch], [math.sin(angle) * stretch, math.cos(angle)]]
    )
    turn *= scale
    middle = np.array([side / 2, side / 2])
    matrix = np.hstack([turn, (middle - turn @ middle)[:, None]])
    mode = cv2.BORDER_REFLECT_101 if dice.chance(0.08) else cv2.BORDER_CONSTANT
    return as_bytes(
        cv2.warpAffine(
            image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=dice.colour()
        )
    )


def captioned(dice: Dice, image: Bytes) -> Bytes:
    """Two to six lines of text across the picture: outlined, plain, or on bands."""
    side = image.shape[0]
    result = image.copy()
    lines, font = dice.integer(2, 6), dice.font()
    high = dice.uniform(0.055, 0.13) * side
    scale, thick = high / 24, max(1, round(high / 24 * dice.uniform(0.9, 2.2)))
    ink = (255, 255, 255) if dice.chance(0.6) else dice.colour()
    edge = tuple(255 - c for c in ink)
    style, where = dice.integer(0, 2), dice.integer(0, 3)
    for line in range(lines):
        share = (line + 0.8) * high * 1.25
        if where == 0:
            base = share
        elif where == 1:
            base = side - lines * high * 1.25 + share - high * 0.3
        elif where == 2:
            base = side / 2 - lines * high * 0.6 + share
        else:
            upper = line < (lines + 1) // 2
            base = share if upper else side - (lines - line) * high * 1.25 + high * 0.8
        text = dice.letters(8, 24)
        left = dice.integer(2, max(3, side // 6))
        if style == 2:
            top, bottom = round(base - high), round(base + high * 0.3)
            result[max(0, top) : max(0, bottom)] = edge
        if style >= 1 and style != 2:
            cv2.putText(result, text, (left, round(base)), font, scale, edge, thick + 2, cv2.LINE_AA)
        cv2.putText(result, text, (left, round(base)), font, scale, ink, thick, cv2.LINE_AA)
    return result


def covered(dice: Dice, image: Bytes, other: Bytes) -> Bytes:
    """A block over a tenth to half of the area: plain, blurred, coarse, or a piece of another picture."""
    side = image.shape[0]
    area, aspect = dice.uniform(0.1, 0.5), math.exp(dice.uniform(-0.7, 0.7))
    width = round(side * min(1.0, math.sqrt(area * aspect)))
    height = round(side * min(1.0, area * side / width))
    left, top = dice.integer(0, side - width), dice.integer(0, side - height)
    result = image.copy()
    part = result[top : top + height, left : left + width]
    kind = dice.rng.random()
    if kind < 0.4:
        block = np.empty_like(part)
        block[:] = dice.colour()
        for line in range(dice.integer(0, 4)):
            at = (4, round((line + 0.8) * height / 5))
            cv2.putText(
                block, dice.letters(4, 20), at, dice.font(), height / 140, dice.colour(), 1, cv2.LINE_AA
            )
    elif kind < 0.8:
        block = resized(other, width, height)
    elif kind < 0.9:
        block = as_bytes(cv2.GaussianBlur(part, (0, 0), side / 16))
    else:
        small = resized(part, max(1, width // 16), max(1, height // 16))
        block = as_bytes(cv2.resize(small, (width, height), interpolation=cv2.INTER_NEAREST))
    share = 1.0 if dice.chance(0.8) else dice.uniform(0.4, 0.9)
    if dice.chance(0.25):
        mask = np.zeros(part.shape[:2], np.uint8)
        cv2.ellipse(mask, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
        block = np.where(mask[..., None] > 0, block, part)
    part[:] = cv2.addWeighted(block, share, part, 1 - share, 0)
    return result


GRIDS: tuple[tuple[Cell, ...], ...] = (
    ((0, 0, 0.5, 1), (0.5, 0, 0.5, 1)),
    ((0, 0, 1, 0.5), (0, 0.5, 1, 0.5)),
    ((0, 0, 1 / 3, 1), (1 / 3, 0, 1 / 3, 1), (2 / 3, 0, 1 / 3, 1)),
    ((0, 0, 1, 1 / 3), (0, 1 / 3, 1, 1 / 3), (0, 2 / 3, 1, 1 / 3)),
    ((0, 0, 0.6, 1), (0.6, 0, 0.4, 0.5), (0.6, 0.5, 0.4, 0.5)),
    ((0, 0, 1, 0.6), (0, 0.6, 0.5, 0.4), (0.5, 0.6, 0.5, 0.4)),
    ((0, 0, 0.5, 0.5), (0.5, 0, 0.5, 0.5), (0, 0.5, 0.5, 0.5), (0.5, 0.5, 0.5, 0.5)),
    tuple((c / 3, r / 2, 1 / 3, 1 / 2) for r in range(2) for c in range(3)),
    tuple((c / 2, r / 3, 1 / 2, 1 / 3) for r in range(3) for c in range(2)),
)
GRID_WEIGHTS = np.array((3, 3, 1, 1, 2, 2, 5, 1, 1)) / 19


def grid(dice: Dice) -> tuple[Cell, ...]:
    """The cells of a collage, in random order and perhaps mirrored."""
    cells = list(GRIDS[int(dice.rng.choice(len(GRIDS), p=GRID_WEIGHTS))])
    if dice.chance(0.5):
        cells = [(1 - x - w, y, w, h) for x, y, w, h in cells]
    if dice.chance(0.5):
        cells = [(x, 1 - y - h, w, h) for x, y, w, h in cells]
    return tuple(cells[i] for i in dice.rng.permutation(len(cells)))


def collage(dice: Dice, pictures: list[Bytes], cells: tuple[Cell, ...], side: int) -> Bytes:
    """Each picture fills its cell (cut to its shape, or squeezed); gutters are rare."""
    canvas = np.empty((side, side, 3), np.uint8)
    canvas[:] = dice.colour()
    gutter = dice.integer(1, max(1, side // 24)) if dice.chance(0.3) else 0
    fitted = dice.chance(0.6)
    for picture, (x, y, w, h) in zip(pictures, cells, strict=True):
        left, top, right, bottom = (
            round(x * side),
            round(y * side),
            round((x + w) * side),
            round((y + h) * side),
        )
        width, height = max(8, right - left - gutter), max(8, bottom - top - gutter)
        source = picture
        if fitted and width != height:
            edge = source.shape[0]
            keep_x, keep_y = (
                (edge, edge * height // width) if width > height else (edge * width // height, edge)
            )
            source = source[(edge - keep_y) // 2 :, (edge - keep_x) // 2 :][:keep_y, :keep_x]
        canvas[top : top + height, left : left + width] = resized(source, width, height)
    return canvas


def inset(dice: Dice, image: Bytes, ground: Bytes, smallest: float) -> tuple[Bytes, float]:
    """The picture small on another one, from ``smallest`` of the width; also its share of the area."""
    side = image.shape[0]
    width = math.exp(dice.uniform(math.log(smallest), math.log(0.62)))
    height = min(0.9, width * math.exp(dice.uniform(-0.35, 0.35)))
    wide, high = max(12, round(width * side)), max(12, round(height * side))
    left, top = dice.integer(0, side - wide), dice.integer(0, side - high)
    canvas = resized2(ground, side).copy()
    if dice.chance(0.3):
        frame = dice.integer(1, 4)
        canvas[max(0, top - frame) : top + high + frame, max(0, left - frame) : left + wide + frame] = (
            dice.colour()
        )
    canvas[top : top + high, left : left + wide] = resized(image, wide, high)
    return canvas, wide * high / (side * side)


def paged(dice: Dice, image: Bytes) -> Bytes:
    """The picture on a page of text and buttons: a post, an article, a phone's screen."""
    side = image.shape[0]
    canvas = np.empty_like(image)
    ground = (dice.integer(235, 255),) * 3 if dice.chance(0.6) else (dice.integer(0, 50),) * 3
    canvas[:] = ground
    ink = tuple(255 - c for c in ground)
    width = dice.uniform(0.35, 1.0)
    height = width * dice.uniform(0.35, 1.0)
    wide, high = round(width * side), max(16, round(height * side))
    left = (side - wide) // 2 if dice.chance(0.5) else dice.integer(0, side - wide)
    top = dice.integer(0, side - high)
    y, step = dice.integer(4, 14), dice.integer(7, 15)
    while y < side:
        if dice.chance(0.75):
            at = (dice.integer(2, 12), y)
            cv2.putText(canvas, dice.letters(8, 40), at, dice.font(), step / 34, ink, 1, cv2.LINE_AA)
        y += step
    for _ in range(dice.integer(0, 4)):
        cv2.circle(
            canvas, (dice.integer(0, side), dice.integer(0, side)), dice.integer(3, 12), dice.colour(), -1
        )
    if dice.chance(0.4):
        canvas[: dice.integer(6, side // 8)] = dice.colour()
    canvas[top : top + high, left : left + wide] = resized(image, wide, high)
    return canvas


def cut_out(dice: Dice, image: Bytes, ground: Bytes | None) -> Bytes:
    """The middle of the picture, cut out along an irregular line, on a plain ground or on another picture."""
    side = image.shape[0]
    angles = np.sort(dice.rng.uniform(0, 2 * math.pi, dice.integer(5, 14)))
    radii = dice.rng.uniform(0.3, 0.62, len(angles)) * side
    points = side / 2 + np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    mask = np.zeros((side, side), np.uint8)
    cv2.fillPoly(mask, [points.astype(np.int32)], 255, cv2.LINE_AA)
    if ground is None:
        behind = np.empty_like(image)
        behind[:] = dice.colour()
    else:
        behind = resized2(ground, side)
    return np.where(mask[..., None] > 127, image, behind)
