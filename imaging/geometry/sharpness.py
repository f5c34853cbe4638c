"""Two rasters brought to the same sharpness, so that a blurred copy differs no more than a sharp one."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from facsimile.imaging.geometry.cells import Cells

#: standard deviations, in pixels, of the blurs that are tried in turn until the correlation falls
_BLURS = (0.6, 0.9, 1.3, 1.9, 2.7, 3.8, 5.4)


def equalise_sharpness(first: Any, second: Any, inside: Any) -> tuple[Any, Any]:
    """Both rasters, float32 [H, W], the sharper one blurred by the Gaussian under which they correlate best
    where the mask `inside`, uint8 [H, W], is 1; as they are where fewer cells agree then, since what covers a
    part of one may look like sharpness."""
    weight = inside.astype(np.float32)
    best = (_correlation(first, second, weight), first, second)
    for blur_first in (True, False):
        before = best[0]
        for deviation in _BLURS:
            one = cv2.GaussianBlur(first, (0, 0), deviation) if blur_first else first
            other = second if blur_first else cv2.GaussianBlur(second, (0, 0), deviation)
            correlation = _correlation(one, other, weight)
            best = max(best, (correlation, one, other), key=lambda each: each[0])
            if correlation < before:
                break
            before = correlation
    _, one, other = best
    if one is first and other is second:
        return first, second
    blurred, raw = (Cells.of(*pair, inside).agreeing for pair in ((one, other), (first, second)))
    return (one, other) if blurred >= raw else (first, second)


def _correlation(first: Any, second: Any, weight: Any) -> float:
    count = max(float(weight.sum()), 1.0)
    one, other = ((raster - (raster * weight).sum() / count) * weight for raster in (first, second))
    return float((one * other).sum() / max(float((one * one).sum() * (other * other).sum()) ** 0.5, 1e-6))
