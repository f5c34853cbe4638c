"""Verification, measured: what it proves of edited copies, what it lets through of look-alikes, and its time.

    python benchmarks/verification.py DATASET --cache CACHE [--originals 20] [--ground training|unseen]

DATASET and CACHE are those of `benchmarks/descriptors.py`. Fits the probability of `search/proof.py` on
training pictures, and reports on pictures that no training saw, under edits of another seed. "wrong" are
pairs that are no copies by the list of near-duplicates; the surest of them are printed, so that a reader can
look at them.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.pairs import Pair, grounds, pairs
from facsimile.imaging.decode import decode
from facsimile.imaging.geometry.features import features, matched
from facsimile.imaging.geometry.homography import fit
from facsimile.search.proof import Policy, Proof
from facsimile.search.verification import effort_for
from facsimile.search.verifier import Verifier

#: kinds of wrong pairs
WRONG = ("plain", "edited", "series", "logo", "text", "tiles")


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """One pair: what both looks prove, what the first alone, the inliers of ORB, milliseconds of one core."""

    kind: str
    copy: bool
    who: str
    reached: bool
    proof: Proof | None
    first: Proof | None
    orb: int
    query_ms: float
    pair_ms: float


def seen(pair: Pair, policy: Policy) -> Seen:
    """Verify a pair as a search would, whatever its distances."""
    effort = effort_for(pair.hamming, pair.cosine, policy)
    assert pair.stored.thumbnail is not None
    afresh = pair.stored.replaced(thumbnail=pair.stored.thumbnail + b"\0")  # its features are not known
    start = time.process_time()
    verifier = Verifier(pair.query, policy)
    verifier.proof(pair.stored, effort=effort)
    ready = time.process_time()  # from now on the query's features are there
    proof = verifier.proof(afresh, effort=effort)
    done = time.process_time()
    near = pair.hamming is not None and pair.hamming <= policy.distance
    return Seen(
        kind=pair.kind,
        copy=pair.copy,
        who=pair.stored.id,
        reached=near or pair.cosine >= policy.cosine,
        proof=proof,
        first=verifier.proof(pair.stored, effort="orb"),
        orb=_orb(pair),
        query_ms=1000 * (2 * ready - start - done),
        pair_ms=1000 * (done - ready),
    )


def _orb(pair: Pair) -> int:
    """The inliers of ORB alone, mirrored too: the usual way, to compare with."""
    assert pair.stored.thumbnail is not None
    stored = features(decode(pair.stored.thumbnail).luma, "orb")
    luma = decode(pair.query.thumbnail).luma
    fits = [fit(*matched(stored, features(view, "orb"))) for view in (luma, luma[:, ::-1])]
    return max(found.inliers if found else 0 for found in fits)


def fitted(rows: Iterable[Seen]) -> NDArray[np.float64]:
    """The constants of `search/proof.py`: copies and wrong pairs whose geometry fits weigh the same."""
    told = [(row.copy, row.proof) for row in rows if row.proof]
    values = np.array([(1, min(proof.residual, 1), proof.agreeing, proof.parallax or 0) for _, proof in told])
    right = np.array([copy for copy, _ in told], float)
    weight = np.where(right == 1, 0.5 / right.sum(), 0.5 / (1 - right).sum()) * len(right)
    penalty = np.diag((1e-6, *[1e-2] * 3))
    answer = np.zeros(4)
    for _ in range(100):  # Newton's method
        likely = 1 / (1 + np.exp(-values @ answer))
        curvature = (values.T * (weight * likely * (1 - likely))) @ values + penalty
        answer += np.linalg.solve(curvature, values.T @ (weight * (right - likely)) - penalty @ answer)
    return answer


def report(rows: list[Seen]) -> str:
    """The tables."""
    lines = [
        "| pairs | n | proven | by ORB alone | same scene | ORB ≥ 12 inliers |",
        "| --- | --: | --: | --: | --: | --: |",
    ]
    copies, wrong = [row for row in rows if row.copy], [row for row in rows if not row.copy]
    groups = {
        kind: [row for row in copies if row.kind == kind]
        for kind in dict.fromkeys(row.kind for row in copies)
    }
    groups |= {"all copies": copies, "copies within reach": [row for row in copies if row.reached]}
    groups |= {f"wrong: {kind}": [row for row in wrong if row.kind == kind] for kind in WRONG}
    groups |= {"all wrong": wrong}
    for name, group in groups.items():
        shares = (
            _share(_copy(row.proof) for row in group),
            _share(_copy(row.first) for row in group),
            _share(row.proof is not None and not _copy(row.proof) for row in group),
            _share(row.orb >= 12 for row in group),
        )
        lines.append(f"| {name} | {len(group)} | " + " | ".join(shares) + " |")
    lines += ["", "| agreement from | copies | wrong |", "| --: | --: | --: |"]
    for least in (0.8, 0.85, 0.88, 0.9, 0.92, 0.94, 0.96):
        through = [
            sum(row.proof is not None and row.proof.agreement >= least for row in group)
            for group in (copies, wrong)
        ]
        lines.append(f"| {least} | {100 * through[0] / len(copies):.1f} % | {through[1]} of {len(wrong)} |")
    lines.append(
        "\nThe surest wrong pairs: "
        + "; ".join(
            f"{row.kind} {row.who} ({row.proof.inliers}, {row.proof.agreement:.3f})"
            for row in sorted(wrong, key=lambda row: row.proof.agreement if row.proof else -1, reverse=True)[
                :16
            ]
            if row.proof
        )
    )
    for name, group in (
        ("copies", copies),
        ("wrong", wrong),
        ("wrong within reach", [row for row in wrong if row.reached]),
    ):
        times = np.array([row.pair_ms for row in group])
        lines.append(
            f"\n{name}: {np.mean(times):.1f} ms a pair, median {np.median(times):.1f}, "
            f"p90 {np.percentile(times, 90):.1f}"
        )
    lines.append(f"\nfeatures of a query: {np.mean([row.query_ms for row in rows]):.1f} ms")
    return "\n".join(lines)


def _copy(proof: Proof | None) -> bool:
    return proof is not None and proof.finding == "copy"


def _share(values: Iterable[bool]) -> str:
    return f"{100 * np.mean(list(values)):.1f} %"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--originals", type=int, default=20)
    parser.add_argument("--ground", choices=("training", "unseen"), help="only these pictures")
    options = parser.parse_args()
    policy = Policy()
    print(f"residual {policy.residual}, reach {policy.distance} of 256 bits or cosine {policy.cosine}")
    both = grounds(options.dataset, options.cache, options.originals)
    for name, ground in zip(("training", "unseen"), both, strict=True):
        if options.ground not in (None, name):
            continue
        rows = [seen(pair, policy) for pair in pairs(options.dataset, ground)]
        if name == "training":
            print("probability:", fitted(rows).round(2), flush=True)
        print(f"\n{name} pictures\n\n{report(rows)}", flush=True)


if __name__ == "__main__":
    main()
