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

_ONE_BIT = [1 << bit for bit in range(16)]


def terms(bits: NDArray[np.uint8]) -> tuple[str, ...]:
    """The 16 terms of a hash of 32 uint8."""
    return _terms(bits, [[0]] * BANDS)


def probed(spectrum: NDArray[np.float32], probes: int) -> tuple[str, ...]:
    """The terms of a spectrum [16, 16] and, band by band, every combination of flips of the `probes` bits
    nearest the median: 16 * 2**probes terms."""
    doubt = np.abs(spectrum - np.median(spectrum))
    doubtful = np.argsort(doubt, axis=-1, kind="stable")[:, :probes]
    masks = [[1 << (15 - int(bit)) for bit in band] for band in doubtful]
    flips = [[sum(some) for n in range(probes + 1) for some in combinations(band, n)] for band in masks]
    return _terms(bits_of(spectrum), flips)


def neighbours(bits: NDArray[np.uint8]) -> tuple[str, ...]:
    """The terms of a hash and all their one-bit neighbours: 272.

    Every hash within Hamming distance 31 then shares a term: 31 differing bits cannot put two into each of
    16 bands (the pigeonhole principle, as in multi-index hashing, Norouzi et al. 2012).
    """
    return _terms(bits, [[0, *_ONE_BIT]] * BANDS)


def _terms(bits: NDArray[np.uint8], flips: list[list[int]]) -> tuple[str, ...]:
    values = bits.view(">u2").tolist()
    return tuple(f"{row:x}{values[row] ^ flip:04x}" for row in range(BANDS) for flip in flips[row])
