"""How sure a match is: one number from the two distances."""

from __future__ import annotations

import math

#: The score is logistic in the bits below `_FAR` and in the cosine above nought; beyond these a distance
#: tells nothing. Without a vector, `_NO_VECTOR` stands for the cosine's part, as if that were about one half.
#: Fitted by `benchmarks/calibration.py`.
_FAR = 64.0
_BASE = -14.8
_PER_BIT = 0.22
_PER_COSINE = 26.1
_NO_VECTOR = 13.6


def score(hamming: int | None, cosine: float | None) -> float:
    """The probability that a candidate is a copy of the query, in 0..1.

    `hamming` is the smallest distance of their hashes in bits, `cosine` that of their vectors; None where
    there is none. It rises with either evidence. Probability means: of candidates with this evidence, where
    copies and the strongest wrong candidates are equally common beforehand, this share are copies. Among
    weaker candidates, which are nearly all there are, it is a lower bound.
    """
    evidence = _BASE
    if hamming is not None:
        evidence += _PER_BIT * max(0.0, _FAR - hamming)
    evidence += _NO_VECTOR if cosine is None else _PER_COSINE * max(0.0, cosine)
    return 1 / (1 + math.exp(-evidence))
