"""Distances between two signatures."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def hamming(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The number of differing bits, 0..256, of hashes [..., 32] uint8; leading axes broadcast."""
    words_a = np.ascontiguousarray(a).view(np.uint64)
    words_b = np.ascontiguousarray(b).view(np.uint64)
    distances: NDArray[np.int64] = np.bitwise_count(words_a ^ words_b).sum(axis=-1, dtype=np.int64)
    return distances


def cosine(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float32]:
    """The cosine, -1..1, of vectors [..., D]; leading axes broadcast.

    Stored vectors are rounded, so that their lengths are one only to a thousandth; a vector of zeros has the
    cosine 0 with all.
    """
    products: NDArray[np.float32] = np.einsum("...d,...d->...", a, b)
    lengths = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return np.asarray(products / np.maximum(lengths, np.finfo(np.float32).tiny), np.float32)
