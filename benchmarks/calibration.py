"""The fit of `search/score.py`: P(copy | Hamming distance, cosine), on pictures of the training split.

    python benchmarks/calibration.py DATASET --cache CACHE --work WORK

Originals, edits (another seed) and index are none of the benchmark's: the training pictures of its index.
True candidates are the originals of edited queries. Wrong ones are the strongest there are: the nearest by
hash and the nearest by cosine, of the edited queries and of strangers, pictures without a copy in the index.
True and wrong ones weigh the same in all. So the score means: of candidates with this evidence, where a copy
and a strongest wrong candidate are equally common beforehand, this share are copies. Among weaker candidates,
which are nearly all there are, it is a lower bound.

Prints the constants, how true the score is, and what thresholds of it find and let through: on the training
pictures, and on the benchmark's unseen ones, which decide nothing here.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.descriptor import similarities
from benchmarks.accuracy.fit import Candidates, Floats, Score, fitted
from benchmarks.accuracy.ours import Hash, Network
from benchmarks.accuracy.pictures import CALIBRATION_SEED, Files, Item, held_out, opened
from datasets.photographs import BURSTS
from facsimile.search.evaluation.attacks import ATTACKS
from facsimile.search.ranking import Thresholds

ORIGINALS = 200

#: folders with many drawings of one symbol, of which nobody can say which is a copy of which
SYMBOLS = ("yin_yang", "stop_sign")

#: thresholds of the score that are shown
THRESHOLDS = (0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 0.9998)


@dataclass(frozen=True)
class Asked:
    """Distances of queries to an index, [queries, index]; `truth` is the place of each query's original, or
    -1 where it has none."""

    hamming: Floats
    cosine: Floats
    truth: NDArray[np.int64]

    def without(self, same: NDArray[np.bool_]) -> Asked:
        """These pairs put infinitely far, save queries with their originals."""
        rows = np.flatnonzero(self.truth >= 0)
        same[rows, self.truth[rows]] = False
        return Asked(np.where(same, np.inf, self.hamming), np.where(same, -np.inf, self.cosine), self.truth)

    def true(self) -> Candidates:
        """Each query with its original."""
        pair = (np.arange(len(self.truth)), self.truth)
        return Candidates.equal(self.hamming[pair], self.cosine[pair], copy=True)

    def wrong(self) -> Candidates:
        """Each query with the nearest wrong record by hash, and with the nearest by cosine."""
        rows = np.arange(len(self.truth))
        known = self.truth >= 0
        hamming, cosine = self.hamming.copy(), self.cosine.copy()
        hamming[rows[known], self.truth[known]] = np.inf
        cosine[rows[known], self.truth[known]] = -np.inf
        places = [(rows, hamming.argmin(axis=1)), (rows, cosine.argmax(axis=1))]
        return Candidates.equal(
            np.concatenate([self.hamming[place] for place in places]),
            np.concatenate([self.cosine[place] for place in places]),
            copy=False,
        )


@dataclass(frozen=True)
class Ground:
    """What is measured on: queries with an original, and queries without one, `plain` outside bursts."""

    copies: Asked
    strangers: Asked
    plain: NDArray[np.bool_]

    def candidates(self) -> Candidates:
        """The true ones; the wrong ones of edited queries and of plain strangers, half each."""
        strange = Asked(
            self.strangers.hamming[self.plain],
            self.strangers.cosine[self.plain],
            self.strangers.truth[self.plain],
        )
        wrong = self.copies.wrong() + strange.wrong()
        return self.copies.true() + Candidates(wrong.hamming, wrong.cosine, wrong.copy, wrong.weight / 2)

    def reliability(self, score: Score, by_hash: bool = False) -> str:
        """Of candidates with a score in each range: how many, the mean score, the share of copies."""
        seen = self.candidates()
        likely = score.by_hash(seen.hamming) if by_hash else score.of(seen.hamming, seen.cosine)
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
        surest = strange[self.plain].max()
        return "\n".join([*lines, f"\nThe surest plain stranger has {surest:.5f}."])

    def verdicts(self, score: Score, limits: Thresholds) -> str:
        """How many originals of edited copies each rule of the product lets into the answer, and how many
        strangers get any answer by it."""
        near, alike = limits.similar, limits.similar_cosine

        def accepted(bits: Floats, cosine: Floats) -> dict[str, NDArray[np.bool_]]:
            copy = bits <= limits.copy
            return {
                f"hash within {limits.copy}, which is a `copy` where pixels are not compared": copy,
                f"hash within {near}": bits <= near,
                f"cosine from {alike}": cosine >= alike,
                "`copy` or `similar`: one of all": copy | (bits <= near) | (cosine >= alike),
            }

        true = self.copies.true()
        found = accepted(true.hamming, true.cosine)
        strange = accepted(self.strangers.hamming, self.strangers.cosine)
        lines = ["| rule | copies | strangers | plain strangers |", "| --- | --: | --: | --: |"]
        for name, rows in found.items():
            some = np.any(strange[name], axis=1).ravel()
            lines.append(
                f"| {name} | {100 * rows.mean():.1f} % | {some.sum()} of {len(some)} "
                f"| {some[self.plain].sum()} of {self.plain.sum()} |"
            )
        return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    training, unseen = grounds(options.dataset, options.cache, options.work)
    score = fitted(training.candidates())
    print(score)
    for name, ground in (("training pictures", training), ("unseen pictures", unseen)):
        print(f"\n{name}\n\n{ground.reliability(score)}\n\n{ground.thresholds(score)}")
        print(f"\nhash alone\n\n{ground.reliability(score, by_hash=True)}")
        print(f"\nverdicts\n\n{ground.verdicts(score, Thresholds())}")


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
    symbols = np.array([item.path.split("/")[0] in SYMBOLS for item in trained])
    truth = np.repeat(originals, len(ATTACKS))
    return (
        Ground(
            measure(edited, trained, truth).without((kinds[truth][:, None] == kinds) | symbols),
            measure(trained, trained, np.full(len(trained), -1)).without((kinds[:, None] == kinds) | symbols),
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
        hamming = -similarities(Hash(), queries, index, self.files, self.work)
        return Asked(hamming, similarities(Network(), queries, index, self.files, self.work), truth)


if __name__ == "__main__":
    main()
