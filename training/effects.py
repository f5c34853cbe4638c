"""Edits of colour, print and optics: negatives, halftone, filmed screens, filters, distortions.

All take and return a square of RGB bytes; ``effect`` draws one of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.dice import Bytes, Dice, as_bytes, noise_like, resized

Floats = NDArray[np.float32]
Effect = Callable[[Dice, Bytes], Bytes]


def raster(side: int) -> tuple[Floats, Floats]:
    line = np.arange(side, dtype=np.float32)
    return line[None, :], line[:, None]


def gray_of(image: Bytes) -> Bytes:
    return as_bytes(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))


def as_colours(gray: Bytes) -> Bytes:
    return as_bytes(cv2.cvtColor(gray, cv2.COLOR_GRAY2RGB))


def negative(dice: Dice, image: Bytes) -> Bytes:
    inverted = as_bytes(255 - image)
    return as_colours(gray_of(inverted)) if dice.chance(0.2) else inverted


def screen_of(dice: Dice, side: int, pitch: float, angle: float) -> Floats:
    """A halftone screen, 0 to 255: dots or lines at a pitch and an angle."""
    x, y = raster(side)
    first = np.cos((x * math.cos(angle) + y * math.sin(angle)) * (2 * math.pi / pitch))
    if dice.chance(0.25):
        return np.asarray(127.5 + 127.5 * first, np.float32)
    second = np.cos((y * math.cos(angle) - x * math.sin(angle)) * (2 * math.pi / pitch))
    return np.asarray(127.5 + 63.75 * (first + second), np.float32)


def halftone(dice: Dice, image: Bytes) -> Bytes:
    """Black dots on white, or three inks, as in print; slightly blurred as a scan of it."""
    side, pitch = image.shape[0], dice.uniform(2.2, 7.0)
    hard, angle = dice.uniform(2, 8), dice.uniform(0, math.pi)
    if dice.chance(0.65):
        screen = screen_of(dice, side, pitch, angle)
        inked = np.clip((gray_of(image).astype(np.float32) - screen) * hard + 127, 0, 255).astype(np.uint8)
        result = as_colours(inked)
    else:
        screens = np.stack([screen_of(dice, side, pitch, angle + k) for k in range(3)], axis=-1)
        result = np.clip((image.astype(np.float32) - screens) * hard + 127, 0, 255).astype(np.uint8)
    if dice.chance(0.8):
        result = as_bytes(cv2.GaussianBlur(result, (0, 0), dice.uniform(0.5, 1.6)))
    return result


def filmed(dice: Dice, image: Bytes) -> Bytes:
    """A photograph of a screen: seen aside, moiré and scan lines, a cast of colour, glare, noise."""
    side = image.shape[0]
    corners = np.array([[0, 0], [side, 0], [side, side], [0, side]], np.float32)
    moves = dice.rng.uniform(-0.04, 0.16, (4, 2)) * side * np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]])
    matrix = cv2.getPerspectiveTransform(corners, (corners + moves).astype(np.float32))
    ground = tuple(dice.integer(5, 90) for _ in range(3))
    shown = cv2.warpPerspective(
        image,
        matrix,
        (side, side),
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=ground,
    )
    x, y = raster(side)
    first, second, bend = dice.uniform(0.2, 2.6), dice.uniform(0.2, 2.6), dice.uniform(-0.6, 0.6)
    moire = np.sin(x * first + y * bend) * np.sin(y * second + x * bend * 0.5) * dice.uniform(3, 22)
    gains = dice.rng.uniform(0.78, 1.12, 3).astype(np.float32) * dice.uniform(0.75, 1.1)
    values = shown.astype(np.float32) * gains + moire[..., None] + dice.uniform(-5, 30)
    if dice.chance(0.3):
        at_x, at_y, wide = dice.uniform(0, side), dice.uniform(0, side), dice.uniform(0.1, 0.4) * side
        glare = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * wide * wide)) * dice.uniform(30, 140)
        values += glare[..., None]
    result = np.clip(values, 0, 255).astype(np.uint8)
    return noise_like(dice.rng, result) if dice.chance(0.5) else result


def single_channel(dice: Dice, image: Bytes) -> Bytes:
    """One colour channel as gray, or with the others emptied or filled."""
    channel = dice.integer(0, 2)
    if dice.chance(0.5):
        return as_colours(np.ascontiguousarray(image[..., channel]))
    result = np.full_like(image, 0 if dice.chance(0.8) else 255)
    result[..., channel] = image[..., channel]
    return result


def toned(dice: Dice, image: Bytes) -> Bytes:
    """Shades of gray mapped to a ramp of two colours: sepia, cyanotype, duotone."""
    dark, light = (np.array(dice.colour(), np.float32) for _ in range(2))
    if dice.chance(0.5):
        dark, light = np.array((20, 8, 0), np.float32), np.array((255, 235, 200), np.float32)
    if float(np.abs(light - dark).sum()) < 200:
        dark, light = np.zeros(3, np.float32), np.full(3, 255, np.float32)
    ramp = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    table = (dark + ramp * (light - dark)).astype(np.uint8)
    return table[gray_of(image)]


def posterised(dice: Dice, image: Bytes) -> Bytes:
    levels = dice.integer(2, 6)
    table = (np.round(np.arange(256) / 255 * (levels - 1)) / (levels - 1) * 255).astype(np.uint8)
    source = as_colours(gray_of(image)) if dice.chance(0.2) else image
    return table[source]


def solarised(dice: Dice, image: Bytes) -> Bytes:
    limit = dice.integer(90, 190)
    ramp = np.arange(256)
    return np.where(ramp < limit, ramp, 255 - ramp).astype(np.uint8)[image]


def one_bit(dice: Dice, image: Bytes) -> Bytes:
    """Black and white, by a threshold near the one that parts dark from light best."""
    gray = gray_of(image)
    best, _ = cv2.threshold(gray, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    return as_colours(np.where(gray > best + dice.uniform(-20, 20), 255, 0).astype(np.uint8))


def relief(dice: Dice, image: Bytes) -> Bytes:
    """Embossed: differences along a direction on gray."""
    weight = dice.uniform(0.6, 2.2)
    kernel = np.array([[-2, -1, 0], [-1, 0, 1], [0, 1, 2]], np.float32) * weight
    kernel = np.rot90(kernel, dice.integer(0, 3)).copy()
    kernel[1, 1] = 1.0 if dice.chance(0.5) else 0.0
    shift = 128.0 if kernel[1, 1] == 0 else 0.0
    source = as_colours(gray_of(image)) if dice.chance(0.5) else image
    return as_bytes(cv2.filter2D(source, -1, kernel, delta=shift))


def drawn(dice: Dice, image: Bytes) -> Bytes:
    """Edges as a pencil has them: gray divided by its own blur."""
    gray = gray_of(image)
    blurred = cv2.GaussianBlur(gray, (0, 0), dice.uniform(1.5, 6))
    return as_colours(as_bytes(cv2.divide(gray, blurred, scale=dice.uniform(220, 255))))


def smoothed(dice: Dice, image: Bytes) -> Bytes:
    """Flat areas as of oil paint, or sharpened far too much."""
    if dice.chance(0.5):
        return as_bytes(cv2.medianBlur(image, 2 * dice.integer(1, 3) + 1))
    blurred = cv2.GaussianBlur(image, (0, 0), dice.uniform(1, 3))
    gain = dice.uniform(1, 4)
    return as_bytes(cv2.addWeighted(image, 1 + gain, blurred, -gain, 0))


def mosaic(dice: Dice, image: Bytes) -> Bytes:
    side, count = image.shape[0], dice.integer(20, 56)
    small = resized(image, count, count)
    return as_bytes(cv2.resize(small, (side, side), interpolation=cv2.INTER_NEAREST))


def ghosted(dice: Dice, image: Bytes) -> Bytes:
    """A double picture, shifted; or channels printed out of register."""
    far = max(2, image.shape[0] // 16)
    shift = (dice.integer(-far, far), dice.integer(-far, far))
    moved = np.roll(image, shift, (0, 1))
    if dice.chance(0.5):
        return as_bytes(cv2.addWeighted(image, 0.6, moved, 0.4, 0))
    result = image.copy()
    channel = dice.integer(0, 2)
    result[..., channel] = moved[..., channel]
    return result


def shaded(dice: Dice, image: Bytes) -> Bytes:
    """A vignette, a ramp of light, or fog."""
    side = image.shape[0]
    x, y = raster(side)
    kind = dice.integer(0, 2)
    if kind == 0:
        far = ((x - side / 2) ** 2 + (y - side / 2) ** 2) / (side * side / 2)
        light = 1 - far * dice.uniform(0.4, 1.0)
        return as_bytes(np.clip(image * light[..., None], 0, 255))
    if kind == 1:
        ramp = (x if dice.chance(0.5) else y) / side
        light = dice.uniform(0.3, 1.0) + ramp * dice.uniform(0.2, 0.9) + np.zeros_like(x + y)
        return as_bytes(np.clip(image * light[..., None], 0, 255))
    share = dice.uniform(0.3, 0.7)
    fog = np.full_like(image, dice.integer(120, 255))
    return as_bytes(cv2.addWeighted(image, share, fog, 1 - share, 0))


def bent(dice: Dice, image: Bytes) -> Bytes:
    """Waves, or the bulge of a lens."""
    side = image.shape[0]
    x, y = raster(side)
    if dice.chance(0.5):
        deep, long = dice.uniform(0.01, 0.035) * side, dice.uniform(0.25, 1.0) * side
        to_x = x + deep * np.sin(y * (2 * math.pi / long))
        to_y = y + deep * np.sin(x * (2 * math.pi / long) + 1)
    else:
        u, v = (x - side / 2) / (side / 2), (y - side / 2) / (side / 2)
        factor = 1 + dice.uniform(-0.22, 0.3) * (u * u + v * v)
        to_x, to_y = side / 2 + u * factor * side / 2, side / 2 + v * factor * side / 2
    maps = np.asarray(to_x, np.float32), np.asarray(to_y, np.float32)
    return as_bytes(cv2.remap(image, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101))


EFFECTS: tuple[tuple[Effect, float], ...] = (
    (negative, 0.18),
    (halftone, 0.12),
    (filmed, 0.16),
    (single_channel, 0.08),
    (toned, 0.08),
    (posterised, 0.05),
    (solarised, 0.05),
    (one_bit, 0.03),
    (relief, 0.05),
    (drawn, 0.04),
    (smoothed, 0.04),
    (mosaic, 0.03),
    (ghosted, 0.03),
    (shaded, 0.03),
    (bent, 0.03),
)
_BOUNDS = np.cumsum([weight for _, weight in EFFECTS])


def effect(dice: Dice, image: Bytes) -> Bytes:
    """One effect, drawn by weight."""
    index = int(np.searchsorted(_BOUNDS, dice.rng.random() * _BOUNDS[-1], side="right"))
    return EFFECTS[min(index, len(EFFECTS) - 1)][0](dice, image)
