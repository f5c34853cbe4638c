"""Verification against all look-alikes of a data set: which pairs that are no copies does it take for copies?

    python benchmarks/look_alikes.py DATASET --cache CACHE --work WORK [--ground training|unseen]
        [--asked 2500]

DATASET and CACHE are those of `benchmarks/descriptors.py`. Each of the pictures asks for its nearest six
within reach that are no near-duplicates by the list, as a scan does. Every pair that is taken for a copy is
painted side by side in WORK, to be looked at. `benchmarks/accuracy/looked_at.json` holds the pairs that were,
and are one photograph or drawing after all, or symbols of which nobody can say: they count apart.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.accuracy.pictures import beside, opened
from facsimile.imaging.describe import describe, hash_queries
from facsimile.imaging.models import model
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.proof import Policy, Proof
from facsimile.search.ranking import nearest
from facsimile.search.verification import effort_for
from facsimile.search.verifier import Verifier

LOOKED_AT = Path(__file__).parent / "accuracy" / "looked_at.json"

#: of each picture, so many others at most
_NEAREST = 6

Names = tuple[str, str]


def ground(dataset: Path, cache: Path, which: str) -> tuple[list[str], dict[str, int]]:
    """The pictures in an order by lot, and of which kind of near-duplicates each is."""
    library = opened(dataset, cache)
    split = library.split()
    unseen = [*split.originals, *split.distractors, *split.negatives]
    places = split.train if which == "training" else unseen
    names = [library.paths[place] for place in places]
    kinds = dict(zip(library.paths, library.groups().tolist(), strict=True))
    return [str(name) for name in np.random.default_rng(5).permutation(names)], kinds


def proofs(
    names: list[str], kinds: dict[str, int], described: dict[str, Description], asked: int
) -> Iterator[tuple[Names, Proof | None]]:
    """What verification says of each pair within reach."""
    policy = Policy()
    records = {name: ImageRecord.of(each, id=name) for name, each in described.items()}
    vectors = np.stack([each.vector for each in described.values() if each.vector is not None])
    for name in names[:asked]:
        query = described[name]
        verifier = Verifier(query, policy)
        variants = hash_queries(query)
        cosines = vectors @ query.vector
        found = 0
        for place in np.argsort(-cosines)[:60]:
            other, cosine = names[place], float(cosines[place])
            if kinds[other] == kinds[name] or found == _NEAREST:
                continue
            near = nearest(variants, records[other])
            distance = near.hamming if near else None
            if cosine < policy.cosine and (distance is None or distance > policy.distance):
                continue
            found += 1
            effort = effort_for(distance, cosine, policy)
            yield (name, other), verifier.proof(records[other], effort=effort)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--ground", choices=("training", "unseen"), default="training")
    parser.add_argument("--asked", type=int, default=2500)
    options = parser.parse_args()
    names, kinds = ground(options.dataset, options.cache, options.ground)
    network = model("facsimile")
    described = {name: describe((options.dataset / name).read_bytes(), model=network) for name in names}
    looked_at = {tuple(pair) for pair in json.loads(LOOKED_AT.read_text("utf-8"))}
    told: dict[Names, Proof] = {}
    pairs = set()
    for (asking, other), proof in proofs(names, kinds, described, options.asked):
        pair = (min(asking, other), max(asking, other))
        pairs.add(pair)
        if proof and (pair not in told or proof.probability > told[pair].probability):
            told[pair] = proof
    passing = {pair: proof for pair, proof in told.items() if proof.finding == "copy"}
    wrong = {pair: proof for pair, proof in passing.items() if pair not in looked_at}
    print(f"{options.ground}: {len(pairs)} pairs within reach, the geometry of {len(told)} fits")
    print(f"{len(passing)} are taken for copies, {len(wrong)} of them wrong or not looked at yet:")
    options.work.mkdir(parents=True, exist_ok=True)
    for number, (pair, proof) in enumerate(sorted(wrong.items(), key=lambda each: -each[1].probability)):
        print(f"{number:03} {pair[0]} {pair[1]} {proof.agreement:.3f} {proof.hamming} {proof.inliers}")
        page = beside(options.dataset / pair[0], options.dataset / pair[1])
        page.save(options.work / f"{options.ground}-{number:03}.jpg")


if __name__ == "__main__":
    main()
