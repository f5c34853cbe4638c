"""What geometry and pixels say of a candidate, and how much of it makes a proof."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from facsimile.search.transformation import Transformation

#: What a proof says: the same picture, or what else is known of two pictures that look alike. `same scene`:
#: another photograph of it. `same template`: the frame agrees and the contents differ. `recoloured`: a part
#: has other colours. `negative`: one is the negative of the other, and they show too little to tell more.
ProofVerdict = Literal["copy", "same scene", "same template", "recoloured", "negative"]

#: How the transformation was found: the wholes laid on each other, or local features
#: (see `facsimile.imaging.geometry`).
Feature = Literal["whole", "orb", "sift"]

#: how far verification of a candidate goes: the wholes alone; ORB too; SIFT where a few of ORB's features
#: share a transformation; SIFT in any case
Effort = Literal["whole", "orb", "sign", "sift"]

#: The logistic model of the probability, fitted by `benchmarks/verification.py` on copies and on look-alikes
#: whose geometry fits, equally many.
_BASE, _PER_RESIDUAL, _PER_AGREEING, _PER_PARALLAX = 0.80, -4.05, 3.39, -16.15


@dataclass(frozen=True, slots=True)
class Policy:
    """How much is verified, and what proves; `docs/accuracy.md` says how that was measured.

    `candidates`: how many of a query's best are verified. `seconds`: after this time per query no further one
    is, nor after `vain` in a row that are no copies, `vain_unlikely` where a candidate is unlikely by its
    distances: its score is below `likely`, and its hash farther than `near` bits. After `vain_second` second
    looks in vain, first looks have to do. `distance`, `cosine`: how far out candidates are verified; beyond
    the thresholds of the answer only proven ones are kept. SIFT looks at likely candidates even where ORB has
    no sign of a copy.
    `inliers`: features that must agree on one transformation (ORB, SIFT). `hash_alone`: the Hamming distance
    up to which a candidate that was not reached in time is called a copy by its hash.

    Two pictures are the same where `cells` or more are compared, and the residual of their cells (see
    `facsimile.imaging.geometry.difference`) is at most `residual` in 98 of 100 and `worst` in all, brightness
    differs by at most `shade` standard deviations, and parts moved against each other by at most `parallax`
    pixels of 128; by `parallax_slanted` where the map slants; and by `parallax_free` where it turns by more
    than `free_turn` degrees off a quarter turn, or slants by more than `free_slant`, and neither picture lies
    in the other as a whole: nobody's editing does that, but a second shot of a flat scene.
    `lit`: from this share of textured cells on, brightness may change across the picture.

    A tile of a collage is the same within, and at least `apart` of what lies outside of it differs. Where one
    picture covers a part of the other, `covered` is the least evidence (see
    `facsimile.search.evidence`).

    `regions`: whether a picture that no copy was found of is asked about a second time, by its regions and as
    a negative (see `facsimile.search.regions`).
    """

    candidates: int = 24
    seconds: float = 2.0
    vain: int = 8
    vain_unlikely: int = 2
    likely: float = 0.04
    near: int = 64
    vain_second: int = 2
    distance: int = 90
    cosine: float = 0.35
    inliers_orb: int = 8
    inliers_sift: int = 6
    hash_alone: int = 10
    cells: int = 60
    residual: float = 0.38
    worst: float = 0.9
    shade: float = 0.5
    lit: float = 0.5
    parallax: float = 0.12
    parallax_slanted: float = 0.08
    parallax_free: float = 0.04
    free_turn: float = 0.25
    free_slant: float = 0.004
    apart: float = 0.86
    covered: float = 1.2
    template: float = 0.3
    regions: bool = True

    def least(self, kind: Feature) -> int:
        """The inliers that this kind of feature needs."""
        return self.inliers_orb if kind == "orb" else self.inliers_sift


@dataclass(frozen=True, slots=True, eq=False)
class Proof:
    """What geometry and pixels say of one candidate.

    `inliers`: features of both pictures that lie where one transformation puts them; 0 where the wholes were
    laid on each other. `agreement`: the median correlation of small cells under it, -1..1; `agreeing`: the
    share of them that agree. `residual`: what is left of the contrast of nearly all cells after the best fit,
    0 for equal ones. `hamming`: by how many of 256 bits the hashes of the common area differ. `parallax`: how
    far parts of the area moved against each other, in pixels of 128; None where that cannot be told.
    `negative`: whether one is the negative of the other. `covered`: the share of the common area that
    something was laid over. `probability`: that it is a copy.
    """

    finding: ProofVerdict
    feature: Feature
    inliers: int
    agreement: float
    agreeing: float
    residual: float
    hamming: int
    transformation: Transformation
    parallax: float | None = None
    negative: bool = False
    covered: float = 0.0

    @property
    def probability(self) -> float:
        """That the candidate is a copy, 0..1: logistic in residual, agreeing cells and parallax. At least one
        half where the finding is that, otherwise at most."""
        evidence = _BASE + _PER_RESIDUAL * min(self.residual, 1.0) + _PER_AGREEING * self.agreeing
        likely = 1 / (1 + math.exp(-evidence - _PER_PARALLAX * (self.parallax or 0.0)))
        return max(likely, 0.5) if self.finding == "copy" else min(likely, 0.5)

    @property
    def basis(self) -> str:
        """What the transformation rests on, in words."""
        if self.feature == "whole":
            return "whole pictures laid on each other"
        return f"{self.inliers} features agree, {self.feature.upper()}"

    def as_json(self) -> dict[str, Any]:
        """The proof as services read it."""
        return {
            "finding": self.finding,
            "feature": self.feature,
            "inliers": self.inliers,
            "agreement": round(self.agreement, 3),
            "agreeing": round(self.agreeing, 3),
            "residual": round(self.residual, 3),
            "hamming": self.hamming,
            "parallax": None if self.parallax is None else round(self.parallax, 3),
            "negative": self.negative,
            "covered": round(self.covered, 3),
            "probability": round(self.probability, 4),
            "transform": self.transformation.as_json(),
            "area": self.transformation.area_as_json(),
        }
