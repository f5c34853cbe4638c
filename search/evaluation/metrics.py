"""Figures of retrieval and of copy detection, from ranked answers.

The micro average precision (µAP) and the recall at precision 90 % (RP90) are those of the Image Similarity
Challenge (Douze and others 2021): the answers of all queries are ordered by their similarity as one list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

#: answers of each query that are kept
KEPT = 20

#: resamples of an interval
_RESAMPLES = 500


class Ranked:
    """Answers in order of falling score. Equal scores are one step of a threshold: `ends` are the last places
    of the steps, so that the order within one does not matter."""

    def __init__(self, scores: Floats, right: NDArray[np.bool_]) -> None:
        self.right = right
        self.order = np.argsort(-scores, kind="stable")
        self.scores = scores[self.order]
        self.ends = np.append(np.flatnonzero(np.diff(self.scores)), len(scores) - 1)

    def average_precision(self, weights: NDArray[np.int64], queries: int) -> float:
        """Precision at each right answer, summed, by the number of real queries; an answer of weight n counts
        n times."""
        counted = weights[self.order]
        found = np.cumsum(counted * self.right[self.order])[self.ends]
        answered = np.cumsum(counted)[self.ends]
        return float((np.diff(found, prepend=0) * found / np.maximum(answered, 1)).sum() / queries)

    def curve(self, wanted: int) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and threshold of accepting everything down to each score, of `wanted` right
        answers in all."""
        found = np.cumsum(self.right[self.order])[self.ends]
        return found / max(wanted, 1), found / (self.ends + 1), self.scores[self.ends]


@dataclass(frozen=True, eq=False)
class Answers:
    """The answers of queries to references.

    `scores`, `places` [Q, K]: similarities of the best references, larger is nearer, and where those are in
    the list of references; -inf and -1 beyond the last. `right` [Q, K]: which of them are correct.
    `rank` [Q]: the place of the first correct one, from 1, where a tie counts against it; 0: there is none.
    `precision` [Q]: average precision of the query's own ranking. `wanted` [Q]: correct references in all.
    """

    scores: NDArray[np.float32]
    places: NDArray[np.int64]
    right: NDArray[np.bool_]
    rank: NDArray[np.int64]
    precision: Floats
    wanted: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        similarity: NDArray[np.float32],
        relevant: Sequence[Sequence[int]],
        excluded: Sequence[int | None],
        *,
        least: float = -np.inf,
        kept: int = KEPT,
    ) -> Answers:
        """From similarities [Q, R]; `relevant` are the correct references of each query, `excluded` the query
        itself where it is among them. Similarities of `least` and below are no answers."""
        similarity = similarity.astype(np.float32).copy()
        for row, place in enumerate(excluded):
            if place is not None:
                similarity[row, place] = -np.inf
        queries, references = similarity.shape
        correct = np.zeros((queries, references), bool)
        for row, places in enumerate(relevant):
            correct[row, list(places)] = True
        similarity[similarity <= least] = -np.inf
        order = np.argsort(-similarity, axis=1, kind="stable")
        scores = np.take_along_axis(similarity, order, axis=1)
        right = np.take_along_axis(correct, order, axis=1) & np.isfinite(scores)
        rank, precision = np.zeros(queries, np.int64), np.zeros(queries)
        for row in range(queries):
            wanted = int(correct[row].sum())
            if wanted and right[row].any():
                best = scores[row][right[row]].max()
                wrong = similarity[row][~correct[row]]
                rank[row] = 1 + int((wrong >= best).sum())
                finite = np.isfinite(scores[row])
                ranked = Ranked(scores[row][finite].astype(np.float64), right[row][finite])
                ones = np.ones(int(finite.sum()), np.int64)
                precision[row] = ranked.average_precision(ones, wanted)
        most = min(kept, references)
        return cls(
            scores=scores[:, :most],
            places=np.where(np.isfinite(scores), order, -1)[:, :most],
            right=right[:, :most],
            rank=rank,
            precision=precision,
            wanted=correct.sum(axis=1),
        )

    def chosen(self, rows: NDArray[np.int64]) -> Answers:
        """The answers of some queries."""
        return Answers(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))

    @classmethod
    def joined(cls, parts: Sequence[Answers]) -> Answers:
        """The answers of several blocks of queries, one after the other."""
        names = cls.__dataclass_fields__
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    @property
    def listed(self) -> Ranked:
        """All answers of all queries as one list."""
        finite = np.isfinite(self.scores)
        return Ranked(self.scores[finite].astype(np.float64), self.right[finite])

    def curve(self) -> tuple[Floats, Floats, Floats]:
        """Recall, precision and similarity of accepting answers down to each similarity."""
        if not np.isfinite(self.scores).any():
            return np.zeros(1), np.ones(1), np.zeros(1)
        return self.listed.curve(int(self.wanted.sum()))


@dataclass(frozen=True)
class Figures:
    """`recall_at_1`, `recall_at_10`: of queries with a correct reference, the share that has one first, or
    among the first ten. `micro_ap`: µAP. `recall_at_precision_90`: the largest recall of a threshold with
    that precision. `mean_ap`: mean average precision. `precision_at_3`: mean share of correct ones among
    the first three (of fewer, where there are fewer in all)."""

    queries: int
    recall_at_1: float
    recall_at_10: float
    micro_ap: float
    recall_at_precision_90: float
    mean_ap: float
    precision_at_3: float

    @classmethod
    def of(cls, answers: Answers) -> Figures:
        """The figures of all the answers."""
        known = answers.wanted > 0
        rank = answers.rank[known]
        three = answers.right[known, :3].sum(axis=1) / np.minimum(np.maximum(answers.wanted[known], 1), 3)
        wanted = int(answers.wanted.sum())
        recall, precision, _ = answers.curve()
        ones = np.ones(int(np.isfinite(answers.scores).sum()), np.int64)
        return cls(
            queries=len(answers.rank),
            recall_at_1=_mean(rank == 1),
            recall_at_10=_mean((rank > 0) & (rank <= 10)),
            micro_ap=answers.listed.average_precision(ones, wanted) if len(ones) and wanted else 0.0,
            recall_at_precision_90=recall_at(recall, precision, 0.9),
            mean_ap=_mean(answers.precision[known]),
            precision_at_3=_mean(three),
        )


def recall_at(recall: Floats, precision: Floats, wanted: float) -> float:
    """The largest recall at which a curve has this precision; 0 where it never has it."""
    return float(recall[precision >= wanted].max(initial=0.0))


def interval(values: NDArray[np.bool_], groups: NDArray[np.int64], seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of a mean; values of one group (the edits of one picture) are drawn
    together."""
    if not len(values):
        return 0.0, 0.0
    _, group = np.unique(groups, return_inverse=True)
    counts = np.bincount(group)
    sums = np.bincount(group, values.astype(np.float64))
    drawn = np.random.default_rng(seed).multinomial(
        len(counts), np.full(len(counts), 1 / len(counts)), size=_RESAMPLES
    )
    low, high = np.percentile((drawn @ sums) / np.maximum(drawn @ counts, 1), (2.5, 97.5))
    return float(low), float(high)


def _mean(values: NDArray[np.generic]) -> float:
    return float(values.astype(np.float64).mean()) if len(values) else 0.0
