"""What geometry and pixels say of a candidate, and how much of it makes a proof."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from facsimile.search.transformation import Transformation

if TYPE_CHECKING:
    from facsimile.imaging.geometry.overlap import Overlap

#: what a proof says: the same picture; the same scene, product or template in another picture
Finding = Literal["copy", "same scene"]

#: the note of a match whose geometry fits but whose pixels differ
SAME_SCENE = "same scene"

#: the local features that the proof came by (see `facsimile.imaging.geometry.features`)
Feature = Literal["orb", "sift"]

#: when SIFT looks where ORB has proven nothing; a sign is a transformation that a few of ORB's features share
SecondLook = Literal["always", "on a sign", "never"]

#: The logistic model of the probability, fitted by `benchmarks/verification.py` on copies and on look-alikes
#: whose geometry fits, equally many.
_BASE, _PER_AGREEMENT, _PER_BIT, _PER_INLIERS = -22.4, 21.9, -0.027, 0.43
_STILL, _PER_PARALLAX = 1.9, -14.7


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is verified, and what proves; `docs/accuracy.md` says how that was measured.

    `candidates`: how many of a query's best are verified. `seconds`: after this time per query no further one
    is, nor after `vain` in a row that are no copies; after `vain_second` second looks in vain, first looks
    have to do. `distance`, `cosine`: how far out candidates are verified; beyond the thresholds of the answer
    only proven ones are kept. `second_cosine`: from there on SIFT looks even where ORB has no sign of a copy.
    `inliers`: features that must agree on one transformation (ORB, SIFT). `cells`, `agreement`: so many
    textured cells must be compared, and the median of their correlations be as high, and higher by `per_bit`
    for each of 256 bits by which the hashes of the common area differ; below, it is the same scene.
    `parallax`: where parts of the two moved against each other by more pixels of 128, it is the same scene,
    too. `despite`: up to this Hamming distance of the whole pictures it is a copy all the same: there, pixels
    that disagree are a matter of compression, beyond, of another picture from the same place. It is also the
    radius within which no pair is missed. `regions`: whether a picture that no copy was found of is asked
    about a second time, by its regions and as a negative (see `facsimile.search.regions`).
    """

    candidates: int = 24
    seconds: float = 2.0
    vain: int = 8
    vain_second: int = 2
    distance: int = 90
    cosine: float = 0.35
    second_cosine: float = 0.45
    inliers_orb: int = 8
    inliers_sift: int = 6
    cells: int = 24
    agreement: float = 0.945
    per_bit: float = 0.0005
    parallax: float = 0.12
    despite: int = 31
    regions: bool = True

    def evidence(self, shared: Overlap) -> float:
        """What the pixels of a common area say for a copy; from 0 on they prove it."""
        return shared.agreement - self.per_bit * shared.hamming - self.agreement

    def least(self, kind: Feature) -> int:
        """The inliers that this kind of feature needs."""
        return self.inliers_orb if kind == "orb" else self.inliers_sift


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """What geometry and pixels say of one candidate.

    `inliers`: features of both pictures that lie where one transformation puts them. `agreement`: the median
    correlation of small cells under it, -1..1. `hamming`: by how many of 256 bits the hashes of the common
    area differ. `parallax`: how far parts of the area moved against each other, in pixels of 128; None where
    that cannot be told, or was not looked at. `by_hash`: the probability by the hash of the whole pictures,
    where that decides (see `Policy.despite`). `probability`: that it is a copy.
    """

    finding: Finding
    feature: Feature
    inliers: int
    agreement: float
    hamming: int
    transformation: Transformation
    parallax: float | None = None
    by_hash: float = 0.0

    @property
    def probability(self) -> float:
        """That the candidate is a copy, 0..1: by the hash, or logistic in agreement, Hamming distance,
        inliers and parallax. At least one half where the finding is that, otherwise at most."""
        pixels = _PER_AGREEMENT * self.agreement + _PER_BIT * self.hamming
        if self.parallax is not None:
            pixels += _STILL + _PER_PARALLAX * self.parallax
        by_pixels = 1 / (1 + math.exp(-(_BASE + pixels + _PER_INLIERS * math.log(self.inliers))))
        return max(self.by_hash, by_pixels, 0.5) if self.finding == "copy" else min(by_pixels, 0.5)

    def as_json(self) -> dict[str, Any]:
        """The proof as services read it."""
        return {
            "finding": self.finding,
            "feature": self.feature,
            "inliers": self.inliers,
            "agreement": round(self.agreement, 3),
            "hamming": self.hamming,
            "parallax": None if self.parallax is None else round(self.parallax, 3),
            "probability": round(self.probability, 4),
            "transform": self.transformation.as_json(),
            "area": self.transformation.area_as_json(),
        }
