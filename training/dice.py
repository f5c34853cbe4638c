"""Random choices that all training edits are made of, and the two ways in which they resize."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
)
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 !?.,#@&:-"


class Dice:
    """Draws from one generator, so that a seed fixes everything."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def chance(self, probability: float) -> bool:
        return bool(self.rng.random() < probability)

    def uniform(self, low: float, high: float) -> float:
        return float(self.rng.uniform(low, high))

    def integer(self, low: int, high: int) -> int:
        """From ``low`` to ``high``, both included."""
        return int(self.rng.integers(low, high + 1))

    def colour(self) -> tuple[int, int, int]:
        if self.chance(0.5):
            level = (0, 255, self.integer(0, 255))[self.integer(0, 2)]
            return level, level, level
        return self.integer(0, 255), self.integer(0, 255), self.integer(0, 255)

    def font(self) -> int:
        return FONTS[self.integer(0, len(FONTS) - 1)]

    def letters(self, shortest: int, longest: int) -> str:
        drawn = self.rng.integers(0, len(LETTERS), self.integer(shortest, longest))
        return "".join(LETTERS[i] for i in drawn)


def as_bytes(image: object) -> Bytes:
    result: Bytes = np.asarray(image, dtype=np.uint8)
    return result


def resized(image: Bytes, width: int, height: int) -> Bytes:
    """Area averaging where it shrinks to a third of the pixels or less, linear (which is faster)
    otherwise.
    """
    shrinks = 3 * width * height < image.shape[0] * image.shape[1]
    mode = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return as_bytes(cv2.resize(image, (width, height), interpolation=mode))


def resized2(image: Bytes, side: int) -> Bytes:
    return image if image.shape[:2] == (side, side) else resized(image, side, side)


def noise_like(rng: np.random.Generator, image: Bytes) -> Bytes:
    """Additive noise: Gaussian, or of single pixels (salt and pepper)."""
    if rng.random() < 0.75:
        field = np.empty(image.shape, np.int16)
        cv2.setRNGSeed(int(rng.integers(2**31)))
        cv2.randn(field, np.zeros(3), np.full(3, rng.uniform(3, 30)))
        return as_bytes(cv2.add(image, field, dtype=cv2.CV_8U))
    result = image.copy()
    mask = rng.random(image.shape[:2]) < rng.uniform(0.005, 0.06)
    result[mask] = 255 if rng.random() < 0.3 else rng.integers(0, 256, (int(mask.sum()), 3))
    return result
