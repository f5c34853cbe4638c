"""The logistic model behind the score of a match, and its fit to candidates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating]

#: where the evidence of the hash begins: the distances tried in the fit
FAR = range(52, 101, 4)


@dataclass(frozen=True)
class Candidates:
    """Pairs of a query and a record: their distances, whether they are copies, and how much each counts."""

    hamming: Floats
    cosine: Floats
    copy: NDArray[np.bool_]
    weight: Floats

    @classmethod
    def equal(cls, hamming: Floats, cosine: Floats, *, copy: bool) -> Candidates:
        """All of one sort, with a weight of one together."""
        count = len(hamming)
        return cls(hamming, cosine, np.full(count, copy), np.full(count, 1 / count))

    def __add__(self, other: Candidates) -> Candidates:
        return Candidates(
            np.append(self.hamming, other.hamming),
            np.append(self.cosine, other.cosine),
            np.append(self.copy, other.copy),
            np.append(self.weight, other.weight),
        )


@dataclass(frozen=True)
class Score:
    """Logistic in the bits below `far` and the cosine, as `facsimile.search.score` is; `no_vector` takes the
    place of the cosine's part where there is no vector."""

    far: float
    base: float
    per_bit: float
    per_cosine: float
    no_vector: float

    def of(self, hamming: Floats, cosine: Floats) -> Floats:
        bits, alike = np.maximum(self.far - hamming, 0), np.maximum(cosine, 0)
        return _logistic(self.base + self.per_bit * bits + self.per_cosine * alike)

    def by_hash(self, hamming: Floats) -> Floats:
        return _logistic(self.base + self.per_bit * np.maximum(self.far - hamming, 0) + self.no_vector)


def _logistic(evidence: Floats) -> Floats:
    return 1 / (1 + np.exp(-np.clip(evidence, -50, 50)))


def _loss(likely: Floats, seen: Candidates) -> float:
    """Mean negative log likelihood."""
    given = np.where(seen.copy, likely, 1 - likely)
    return float(-np.average(np.log(np.maximum(given, 1e-12)), weights=seen.weight))


def fitted(seen: Candidates) -> Score:
    """The best model over all distances where evidence may begin."""
    scores = (_fitted(far, seen) for far in FAR)
    return min(scores, key=lambda score: _loss(score.of(seen.hamming, seen.cosine), seen))


def _fitted(far: float, seen: Candidates) -> Score:
    bits, alike = np.maximum(far - seen.hamming, 0), np.maximum(seen.cosine, 0)
    base, per_bit, per_cosine = _regression([np.ones_like(bits), bits / 10, alike * 10], seen)
    (without,) = _regression([np.ones_like(bits)], seen, base + per_bit * bits / 10)
    return Score(far, float(base), float(per_bit) / 10, float(per_cosine) * 10, float(without))


def _regression(inputs: list[Floats], seen: Candidates, known: Floats | float = 0) -> Floats:
    """Weights of a logistic regression by Newton's method, beside a known part of the evidence; with a little
    ridge, since easy copies are separable."""
    columns = np.stack(inputs, axis=1)
    ridge = 1e-6 * np.eye(len(inputs))
    weights = np.zeros(len(inputs))
    for _ in range(40):
        likely = _logistic(columns @ weights + known)
        slope = columns.T @ (seen.weight * (likely - seen.copy)) + ridge @ weights
        curvature = (columns.T * (seen.weight * likely * (1 - likely))) @ columns + ridge
        weights -= np.linalg.solve(curvature, slope)
    return weights
