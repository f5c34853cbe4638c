"""Figures of copy detection, with bootstrap intervals over the originals and the negatives.

Every query asks for its best match in the index, and so does every negative, whose every answer is wrong.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from facsimile.search.evaluation.metrics import Floats, Ranked

RESAMPLES = 1000


@dataclass(frozen=True)
class Outcome:
    """Of each query [originals, edits]: the score of the best match and the rank of the original (1: found;
    a tie with another picture counts against it). Of each negative: the score of its best match."""

    best: Floats
    rank: NDArray[np.int64]
    negative: Floats
    plain: NDArray[np.bool_]

    @property
    def right(self) -> NDArray[np.bool_]:
        return np.equal(self.rank, 1)

    @cached_property
    def all(self) -> Ranked:
        """The best matches of all queries, then of all negatives."""
        wrong = np.zeros(len(self.negative), bool)
        return Ranked(np.append(self.best, self.negative), np.append(self.right, wrong))


def outcome(
    queries: NDArray[np.float32],
    negatives: NDArray[np.float32],
    originals: int,
    plain: NDArray[np.bool_],
) -> Outcome:
    """The outcome of similarities [queries, index] and [negatives, index]; the first columns of the index are
    the originals, the rows of the queries come original by original."""
    edits = len(queries) // originals
    own = queries[np.arange(len(queries)), np.repeat(np.arange(originals), edits)]
    rank = (queries >= own[:, None]).sum(axis=1)
    return Outcome(
        best=queries.max(axis=1).reshape(originals, edits).astype(np.float64),
        rank=rank.reshape(originals, edits),
        negative=negatives.max(axis=1).astype(np.float64),
        plain=plain,
    )


@dataclass(frozen=True)
class Figures:
    """`uap`: micro average precision of the best matches of all queries and negatives. `recall_at_1`,
    `recall_at_100`: original first, among the first hundred. `recall_at_0_false`: right, and better than
    every negative's best match; `_plain` leaves the negatives out that come from bursts of one scene or
    template."""

    uap: float
    recall_at_1: float
    recall_at_100: float
    recall_at_0_false: float
    recall_at_0_false_plain: float

    @classmethod
    def of(
        cls,
        seen: Outcome,
        queries: NDArray[np.int64] | None = None,
        negatives: NDArray[np.int64] | None = None,
    ) -> Figures:
        """The figures where each original and each negative counts so many times (once, unless told)."""
        originals, edits = seen.best.shape
        weight = np.ones(originals, np.int64) if queries is None else queries
        against = np.ones(len(seen.negative), np.int64) if negatives is None else negatives
        each = np.repeat(weight, edits)
        right, best = seen.right.ravel(), seen.best.ravel()
        all_negatives = seen.negative[against > 0].max()
        plain = seen.negative[(against > 0) & seen.plain].max()
        return cls(
            uap=seen.all.average_precision(np.append(each, against), int(each.sum())),
            recall_at_1=float(np.average(right, weights=each)),
            recall_at_100=float(np.average(seen.rank.ravel() <= 100, weights=each)),
            recall_at_0_false=float(np.average(right & (best > all_negatives), weights=each)),
            recall_at_0_false_plain=float(np.average(right & (best > plain), weights=each)),
        )


def intervals(seen: Outcome, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, tuple[float, float]]:
    """95 % percentile intervals of the figures: originals (with all their edits) and negatives are drawn
    again with replacement."""
    rng = np.random.default_rng(seed)
    originals, negatives = len(seen.best), len(seen.negative)
    drawn = [
        Figures.of(
            seen,
            rng.multinomial(originals, np.full(originals, 1 / originals)),
            rng.multinomial(negatives, np.full(negatives, 1 / negatives)),
        )
        for _ in range(resamples)
    ]
    return {
        name: (
            float(np.percentile([getattr(one, name) for one in drawn], 2.5)),
            float(np.percentile([getattr(one, name) for one in drawn], 97.5)),
        )
        for name in Figures.__dataclass_fields__
    }


def curve(seen: Outcome) -> tuple[Floats, Floats]:
    """Recall and precision of accepting best matches down to each score, over queries and plain negatives."""
    plain = seen.negative[seen.plain]
    ranked = Ranked(np.append(seen.best, plain), np.append(seen.right, np.zeros(len(plain), bool)))
    found = np.cumsum(ranked.right[ranked.order])[ranked.ends]
    return found / seen.best.size, found / (ranked.ends + 1)
