"""Whether two rendered pictures differ enough to be members of one family."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

#: side in pixels of the squares that are compared: what a network sees
SIDE = 96


def differ(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Whether two pictures, uint8 [H, W, 3], still differ in more than traces when they are that small."""
    a, b = (
        cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.int16)
        for image in (first, second)
    )
    return float((np.abs(a - b).max(axis=2) > 48).mean()) > 0.006
