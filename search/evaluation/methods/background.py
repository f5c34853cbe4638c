"""The background of a picture removed by GrabCut (Rother, Kolmogorov, Blake 2004)."""

from __future__ import annotations

import cv2
import numpy as np

from facsimile.search.evaluation.picture import ChangedPicture, EvaluationPicture, limited

#: GrabCut runs on a raster with this longer side: the outline of an object needs no more
_SIDE = 160

#: share of each side that is taken for background at first: salient objects rarely touch the frame
_FRAME = 0.06

_ROUNDS = 3

#: least share of the picture that a foreground must have; below it, nothing is removed
_LEAST = 0.02


def without_background(picture: EvaluationPicture) -> EvaluationPicture:
    """The picture cut to what GrabCut takes for the foreground, on white."""
    small = limited(picture, _SIDE).rgb
    height, width = small.shape[:2]
    top, left = max(1, round(_FRAME * height)), max(1, round(_FRAME * width))
    if min(height - 2 * top, width - 2 * left) < 2:
        return picture
    mask = np.zeros((height, width), np.uint8)
    models = np.zeros((1, 65)), np.zeros((1, 65))
    cv2.setRNGSeed(0)
    cv2.grabCut(
        np.ascontiguousarray(small[..., ::-1]),
        mask,
        (left, top, width - 2 * left, height - 2 * top),
        *models,
        _ROUNDS,
        cv2.GC_INIT_WITH_RECT,
    )
    foreground = ((mask == cv2.GC_FGD) | (mask == cv2.GC_PR_FGD)).astype(np.uint8)
    if foreground.mean() < _LEAST:
        return picture
    full = picture.rgb
    large = cv2.resize(foreground, full.shape[1::-1], interpolation=cv2.INTER_NEAREST).astype(bool)
    rows, columns = np.flatnonzero(large.any(axis=1)), np.flatnonzero(large.any(axis=0))
    box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return ChangedPicture(picture, np.where(large[box][..., None], full[box], np.uint8(255)))
