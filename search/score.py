"""How sure a match is: one number from the two distances."""

from __future__ import annotations

import math

#: The score is logistic in the bits below `_FAR` and in the cosine above `_UNLIKE`; beyond these a distance
#: tells nothing, and counts as if it were not known. Fitted by `benchmarks/calibration.py`.
_FAR = 96.0
_UNLIKE = 0.3
_BASE = -5.0
_PER_BIT = 0.13
_PER_COSINE = 13.0


def score(hamming: int | None, cosine: float | None) -> float:
    """The probability that a candidate is a copy of the query, in 0..1.

    `hamming` is the smallest distance of their hashes in bits, `cosine` that of their vectors; None where
    there is none. It rises with either evidence, and neither takes away from the other.
    """
    evidence = _BASE
    if hamming is not None:
        evidence += _PER_BIT * max(0.0, _FAR - hamming)
    if cosine is not None:
        evidence += _PER_COSINE * max(0.0, cosine - _UNLIKE)
    return 1 / (1 + math.exp(-evidence))
