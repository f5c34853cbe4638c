"""The eight orientations of a rectangle: quarter turns and flips, on pictures, spectra and stored hashes.

The DCT of a mirrored picture follows from that of the picture: flipping it changes the sign of the odd
frequencies along that axis, transposing it transposes the spectrum. So the eight hashes of a query are
computed from one spectrum.

`turn-90` is clockwise. If the query's spectrum, oriented by some way, matches the hash of a stored picture,
then the query is the stored picture with the `inverse` of that way applied to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

#: each way as steps: transpose first, then reverse the rows (top to bottom), then the columns (left to right)
_STEPS = {
    "upright": (False, False, False),
    "turn-90": (True, False, True),
    "turn-180": (False, True, True),
    "turn-270": (True, True, False),
    "flip-horizontal": (False, False, True),
    "flip-vertical": (False, True, False),
    "transpose": (True, False, False),
    "transverse": (True, True, True),
}

ORIENTATIONS = tuple(_STEPS)

_ODD = np.arange(16) % 2 == 1


def inverse(orientation: str) -> str:
    """The orientation that undoes this one."""
    return {"turn-90": "turn-270", "turn-270": "turn-90"}.get(orientation, orientation)


def orient(picture: NDArray[Any], orientation: str) -> NDArray[Any]:
    """A picture [H, W] or [H, W, C] in this orientation; a view, no copy."""
    transposed, rows, columns = _STEPS[orientation]
    if transposed:
        picture = picture.swapaxes(0, 1)
    return picture[:: -1 if rows else 1, :: -1 if columns else 1]


def orient_spectrum(spectrum: NDArray[np.float32], orientation: str) -> NDArray[np.float32]:
    """The spectrum [..., 16, 16] of the picture in this orientation, from that of the picture; exact."""
    if _STEPS[orientation][0]:
        spectrum = spectrum.swapaxes(-1, -2)
    return np.where(_sign_changes(orientation), -spectrum, spectrum)


def orient_bits(bits: NDArray[np.uint8], orientation: str) -> NDArray[np.uint8]:
    """The hash [..., 32] of the picture in this orientation, from its hash alone.

    Exact where only transposed. Else an approximation: a coefficient that changes its sign changes its side
    of the median too, unless it lies between the old or new median and its opposite.
    """
    square = np.unpackbits(bits, axis=-1).reshape(*bits.shape[:-1], 16, 16)
    if _STEPS[orientation][0]:
        square = square.swapaxes(-1, -2)
    oriented = square ^ _sign_changes(orientation)
    return np.packbits(oriented.reshape(*bits.shape[:-1], 256), axis=-1)


def _sign_changes(orientation: str) -> NDArray[np.bool_]:
    """Which of the 16x16 coefficients change their sign."""
    _, rows, columns = _STEPS[orientation]
    changes: NDArray[np.bool_] = (rows & _ODD)[:, None] ^ (columns & _ODD)[None, :]
    return changes
