"""The fit of `search/score.py`: P(copy | Hamming distance, cosine), on pictures of the training split.

    python benchmarks/calibration.py DATASET --cache CACHE --work WORK

Originals, edits (another seed) and index are none of the benchmark's: the training pictures of its index.
Each query gives one true candidate and its two strongest wrong ones, the nearest by hash and the nearest by
cosine, with half the weight each. So the score means: of candidates with this evidence, where a copy and a
strongest wrong candidate are equally common beforehand, this share are copies. Among weaker candidates, which
are nearly all there are, it is a lower bound.

Prints the constants, how true the score is, and what thresholds of it find and let through: on the training
pictures, and on the benchmark's unseen ones, which decide nothing here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise, product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import described
from benchmarks.accuracy.ours import Hash, Network
from benchmarks.accuracy.pictures import CALIBRATION_SEED, Files, Item, held_out, opened
from search.evaluation.attacks import ATTACKS
from training.data import BURSTS

Floats = NDArray[np.floating]

ORIGINALS = 200

#: where evidence begins: the pairs tried in the fit
FAR = range(76, 113, 4)
UNLIKE = [step / 20 for step in range(13)]

#: thresholds of the score that are shown
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999)


@dataclass(frozen=True)
class Candidates:
    """Pairs of a query and a record: their distances, whether they are copies, and how much each counts."""

    hamming: Floats
    cosine: Floats
    copy: NDArray[np.bool_]
    weight: Floats


@dataclass(frozen=True)
class Asked:
    """Distances of queries to an index, [queries, index]; `truth` is the place of each query's original, or
    -1 where it has none."""

    hamming: Floats
    cosine: Floats
    truth: NDArray[np.int64]

    def without(self, same: NDArray[np.bool_]) -> Asked:
        """Records of the same kind as the query put out of the way, all but its original."""
        rows = np.flatnonzero(self.truth >= 0)
        same[rows, self.truth[rows]] = False
        return Asked(np.where(same, np.inf, self.hamming), np.where(same, -np.inf, self.cosine), self.truth)

    def candidates(self) -> Candidates:
        """Of each query with an original: that, and the nearest wrong record by each signature."""
        rows = np.arange(len(self.truth))
        hamming, cosine = self.hamming.copy(), self.cosine.copy()
        hamming[rows, self.truth], cosine[rows, self.truth] = np.inf, -np.inf
        chosen = [(rows, self.truth), (rows, hamming.argmin(axis=1)), (rows, cosine.argmax(axis=1))]
        return Candidates(
            np.concatenate([self.hamming[pair] for pair in chosen]),
            np.concatenate([self.cosine[pair] for pair in chosen]),
            np.repeat([True, False, False], len(rows)),
            np.repeat([1.0, 0.5, 0.5], len(rows)),
        )


@dataclass(frozen=True)
class Score:
    """A logistic model in the bits below `far` and the cosine above `unlike`, as in `search.score`."""

    far: float
    unlike: float
    base: float = 0
    per_bit: float = 0
    per_cosine: float = 0

    def inputs(self, hamming: Floats, cosine: Floats) -> tuple[Floats, Floats]:
        return np.maximum(self.far - hamming, 0), np.maximum(cosine - self.unlike, 0)

    def of(self, hamming: Floats, cosine: Floats) -> Floats:
        bits, alike = self.inputs(hamming, cosine)
        return 1 / (1 + np.exp(-(self.base + self.per_bit * bits + self.per_cosine * alike)))

    def loss(self, seen: Candidates) -> float:
        """Mean negative log likelihood."""
        likely = self.of(seen.hamming, seen.cosine)
        given = np.where(seen.copy, likely, 1 - likely)
        return float(-np.average(np.log(np.maximum(given, 1e-12)), weights=seen.weight))


def fitted(seen: Candidates) -> Score:
    """The best model over all places where evidence may begin."""
    scores = (_newton(Score(far, unlike), seen) for far, unlike in product(FAR, UNLIKE))
    return min(scores, key=lambda score: score.loss(seen))


def _newton(shape: Score, seen: Candidates) -> Score:
    """Logistic regression by Newton's method; a little ridge, since easy copies are separable."""
    bits, alike = shape.inputs(seen.hamming, seen.cosine)
    inputs = np.stack([np.ones_like(bits), bits / 10, alike * 10], axis=1)
    ridge = np.diag([0, 0.01, 0.01])
    weights = np.zeros(3)
    for _ in range(30):
        likely = 1 / (1 + np.exp(-inputs @ weights))
        slope = inputs.T @ (seen.weight * (likely - seen.copy)) + ridge @ weights
        curvature = (inputs.T * (seen.weight * likely * (1 - likely))) @ inputs + ridge
        weights -= np.linalg.solve(curvature + 1e-9 * np.eye(3), slope)
    return Score(shape.far, shape.unlike, weights[0], weights[1] / 10, weights[2] * 10)


@dataclass(frozen=True)
class Ground:
    """What is measured on: queries with an original, and queries without one, `plain` outside bursts."""

    copies: Asked
    strangers: Asked
    plain: NDArray[np.bool_]

    def reliability(self, score: Score) -> str:
        """Of candidates with a score in each range: how many, the mean score, the share of copies."""
        seen = self.copies.candidates()
        likely = score.of(seen.hamming, seen.cosine)
        edges = [0, 0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 0.98, 1.000001]
        lines = ["| score | candidates | mean score | share of copies |", "| --- | --: | --: | --: |"]
        for low, high in pairwise(edges):
            rows = (likely >= low) & (likely < high)
            if not rows.any():
                continue
            mean, share = (np.average(x[rows], weights=seen.weight[rows]) for x in (likely, seen.copy))
            lines.append(f"| {low:g}–{min(high, 1):g} | {rows.sum()} | {mean:.3f} | {share:.3f} |")
        return "\n".join(lines)

    def thresholds(self, score: Score) -> str:
        """What accepting the best match from each score on finds and lets through."""
        likely = score.of(self.copies.hamming, self.copies.cosine)
        best, first = likely.max(axis=1), likely.argmax(axis=1) == self.copies.truth
        strange = score.of(self.strangers.hamming, self.strangers.cosine).max(axis=1)
        lines = [
            "| score from | copies found | wrong record instead | strangers let through | of plain ones |",
            "| --: | --: | --: | --: | --: |",
        ]
        for threshold in THRESHOLDS:
            over = best >= threshold
            through = strange >= threshold
            found, wrong = 100 * (over & first).mean(), 100 * (over & ~first).mean()
            lines.append(
                f"| {threshold:g} | {found:.2f} % | {wrong:.2f} % | {through.sum()} of {len(strange)} "
                f"| {(through & self.plain).sum()} of {self.plain.sum()} |"
            )
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    training, unseen = grounds(options.dataset, options.cache, options.work)
    score = fitted(training.copies.candidates())
    print(score)
    for name, ground in (("training pictures", training), ("unseen pictures", unseen)):
        print(f"\n{name}\n\n{ground.reliability(score)}\n\n{ground.thresholds(score)}")


def grounds(dataset: Path, cache: Path, work: Path) -> tuple[Ground, Ground]:
    """The training pictures of the benchmark's index, each also a query without its own kind; and the
    benchmark's own cast."""
    cast, files = held_out(dataset, cache), Files(dataset, work)
    library = opened(dataset, cache)
    kind_of = dict(zip(library.paths, library.groups().tolist(), strict=True))
    trained = cast.index[cast.unseen :]
    kinds = np.array([kind_of[item.path] for item in trained])
    plain = np.array([item.path.split("/")[0] not in BURSTS for item in trained])
    originals = np.flatnonzero(plain)[np.linspace(0, plain.sum() - 1, ORIGINALS).astype(int)]
    edited = [Item(trained[place].path, edit, CALIBRATION_SEED) for place in originals for edit in ATTACKS]
    measure = _Measure(files, work)
    truth = np.repeat(originals, len(ATTACKS))
    return (
        Ground(
            measure(edited, trained, truth).without(kinds[truth][:, None] == kinds),
            measure(trained, trained, np.full(len(trained), -1)).without(kinds[:, None] == kinds),
            plain,
        ),
        Ground(
            measure(cast.queries, cast.index, np.repeat(np.arange(cast.originals), len(ATTACKS))),
            measure(cast.negatives, cast.index, np.full(len(cast.negatives), -1)),
            cast.plain,
        ),
    )


@dataclass(frozen=True)
class _Measure:
    files: Files
    work: Path

    def __call__(self, queries: list[Item], index: list[Item], truth: NDArray[np.int64]) -> Asked:
        hash, network = Hash(), Network()
        asked, stored = (
            described([hash, network], items, self.files, self.work) for items in (queries, index)
        )
        return Asked(
            hamming=-hash.similarity(asked[hash.key], stored[hash.key]),
            cosine=network.similarity(asked[network.key], stored[network.key]),
            truth=truth,
        )


if __name__ == "__main__":
    main()
