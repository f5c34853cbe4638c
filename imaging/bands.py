"""Terms of a hash, by which an inverted index selects candidates before any distance is computed.

The 16 bands are the rows of the 16x16 hash, each 16 bits, written with its position: `3` + `07ff`. Two hashes
become candidates when they share a term. One side may ask for more terms than its own bands: `probed` adds
the values that a band would have if its most doubtful bits had fallen the other way (multi-probe hashing,
Lv et al. 2007), `neighbours` all values one bit away.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from facsimile.imaging.phash import bits_of

BANDS = 16

_ONE_BIT = np.array([0, *(1 << bit for bit in range(16))])


def terms(bits: NDArray[np.uint8]) -> tuple[str, ...]:
    """The 16 terms of a hash of 32 uint8."""
    return _terms(bits[None], np.zeros((1, 1, 1), np.int64))[0]


def probed(spectra: NDArray[np.float32], probes: int) -> list[tuple[str, ...]]:
    """The terms of each of some spectra [N, 16, 16] and, band by band, every combination of flips of the
    `probes` bits nearest the median: 16 * 2**probes terms each."""
    doubt = np.abs(spectra - np.median(spectra, axis=(-2, -1), keepdims=True))
    doubtful = np.argsort(doubt, axis=-1, kind="stable")[..., :probes]
    flipped = [some for n in range(probes + 1) for some in combinations(range(probes), n)]
    chosen = np.array([[bit in some for some in flipped] for bit in range(probes)], np.int64)
    flips = (1 << (15 - doubtful)) @ chosen.reshape(probes, len(flipped))
    return _terms(bits_of(spectra), flips)


def neighbours(bits: NDArray[np.uint8]) -> tuple[str, ...]:
    """The terms of a hash and all their one-bit neighbours: 272.

    Every hash within Hamming distance 31 then shares a term: 31 differing bits cannot put two into each of
    16 bands (the pigeonhole principle, as in multi-index hashing, Norouzi et al. 2012).
    """
    return _terms(bits[None], _ONE_BIT[None, None])[0]


def _terms(bits: NDArray[np.uint8], flips: NDArray[np.int64]) -> list[tuple[str, ...]]:
    """The terms of each of some hashes [N, 32] with each of the flips [N, 16, F] of its bands."""
    values = np.ascontiguousarray(bits).view(">u2").astype(np.int64)[..., None] ^ flips
    values |= np.arange(BANDS)[:, None] << 16
    digits = values.astype(">u4").tobytes().hex()  # eight a term, of which the last five tell
    each = [digits[end - 5 : end] for end in range(8, len(digits) + 1, 8)]
    number = len(each) // len(bits)
    return [tuple(each[start : start + number]) for start in range(0, len(each), number)]
