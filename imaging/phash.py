"""The perceptual hash: 256 bits, the signs of a picture's low frequencies around their median.

The method is pHash (Zauner 2010) at a higher resolution: luma averaged to 64x64, the first 16x16 coefficients
of its two-dimensional DCT, one bit for each that lies above the median of all 256.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

#: changes with every change that makes hashes differ from those already stored
HASH_VERSION = "phash256-1"

_SIDE = 64
_KEPT = 16

#: a coefficient nearer to the median than this may fall on either side: the noise of a JPEG, averaged to
#: 64x64, is a gray level or less, and an orthonormal basis preserves it; four times that is certain
NOISE = 4.0

#: a hash with a smaller share of certain bits identifies nothing. Measured: smooth gradients, an edge, noise
#: and blank pictures reach 0.21; the least of 9,144 photographs and drawings has 0.37, one faded to a
#: twentieth of its contrast 0.39
LEAST_CERTAIN = 0.25


def _dct_basis() -> NDArray[np.float32]:
    """The first 16 rows of the orthonormal DCT-II of length 64."""
    frequency, sample = np.arange(_KEPT)[:, None], np.arange(_SIDE)[None, :]
    basis = np.cos(np.pi * frequency * (2 * sample + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    basis[0] /= np.sqrt(2)
    kept: NDArray[np.float32] = basis.astype(np.float32)
    return kept


_BASIS = _dct_basis()


def spectrum(luma: NDArray[np.uint8] | NDArray[np.float32]) -> NDArray[np.float32]:
    """The lowest 16x16 DCT coefficients, float32 [N, 16, 16], of luma squares [N, 64, 64] in 0..255.

    Rows are vertical frequencies, columns horizontal ones.
    """
    return _BASIS @ luma.astype(np.float32) @ _BASIS.T


def negative(spectrum: NDArray[np.float32]) -> NDArray[np.float32]:
    """The spectrum [16, 16] of the negative of a picture, from that of the picture; exact."""
    turned = -spectrum
    turned[0, 0] += 255 * _SIDE  # of a white picture
    return turned


def bits_of(spectrum: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The hash, uint8 [..., 32], of spectra [..., 16, 16]: row by row, most significant bit first."""
    flat = spectrum.reshape(*spectrum.shape[:-2], _KEPT * _KEPT)
    return np.packbits(flat > np.median(flat, axis=-1, keepdims=True), axis=-1)


def quality(spectrum: NDArray[np.float32]) -> NDArray[np.int64]:
    """The information in a hash, 0..100, for spectra [..., 16, 16]: the percentage of certain bits.

    0 for pictures with too little structure: blank ones, smooth gradients, a straight edge. Their hashes
    depend on few coefficients and on the rounding of the others, so that all such pictures resemble each
    other.
    """
    flat = spectrum.reshape(*spectrum.shape[:-2], _KEPT * _KEPT)
    certain = np.mean(np.abs(flat - np.median(flat, axis=-1, keepdims=True)) > NOISE, axis=-1)
    return np.where(certain < LEAST_CERTAIN, 0, np.rint(100 * certain)).astype(np.int64)
