"""Two pictures side by side: every distance there is between them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from facsimile.imaging.describe import hash_queries
from facsimile.imaging.distance import cosine, hamming
from facsimile.imaging.record import BITS, Description, ImageRecord
from facsimile.search.match import Match
from facsimile.search.proof import Policy, Proof
from facsimile.search.ranking import Thresholds, accepted, hash_distance, judge, nearest, shown
from facsimile.search.verification import confirm
from facsimile.search.verifier import Verifier


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Comparison:
    """The distances of two pictures in bits of 256: upright and whole, without margins, at best.

    `match` is the verdict that a search would give, None where it would find nothing; `proof` is what
    geometry says, None where no transformation fits or nobody asked.
    """

    first: Description
    second: Description
    hamming_upright: int
    hamming_trimmed: int
    hamming: int | None
    orientation: str
    cosine: float | None
    match: Match | None
    proof: Proof | None

    def as_json(self) -> dict[str, Any]:
        """The comparison as services read it."""
        return {
            "verdict": str(self.match.verdict) if self.match else "different",
            "score": round(self.match.score, 4) if self.match else 0.0,
            "same_bytes": self.first.sha256 == self.second.sha256,
            "same_pixels": self.first.pixels == self.second.pixels,
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "hamming": self.hamming,
            "hamming_upright": self.hamming_upright,
            "hamming_trimmed": self.hamming_trimmed,
            "orientation": self.orientation,
            "transform": self.match.transformed if self.match else None,
            "note": (self.match.note or None) if self.match else None,
            "proof": self.proof.as_json() if self.proof else None,
            "quality": [self.first.quality, self.second.quality],
        }


def compare(
    first: Description,
    second: Description,
    thresholds: Thresholds | None = None,
    policy: Policy | None = None,
    *,
    verify: bool = True,
) -> Comparison:
    """Every distance of two pictures; the second is the one asked about, the first the stored one."""
    thresholds, policy = thresholds or Thresholds(), policy or Policy()
    views = hash_queries(second)
    record = ImageRecord.of(first)
    near = nearest(views, record)
    verifier = Verifier(second, policy)
    compared = verify and verifier.can_compare(record)
    proof = verifier.proof(record) if compared else None
    anything = dataclasses.replace(thresholds, similar=BITS, similar_cosine=-1)
    told = judge(second, views, [record], anything if proof else thresholds)
    found = shown(
        second,
        accepted([confirm(match, proof) if compared else match for match in told], thresholds),
        thresholds,
    )
    return Comparison(
        first=first,
        second=second,
        hamming_upright=int(hamming(first.bits, second.bits)),
        hamming_trimmed=int(hamming(_trimmed(first), _trimmed(second))),
        hamming=hash_distance(second, first, thresholds.similar),
        orientation=near.orientation if near else "upright",
        cosine=None
        if first.vector is None or second.vector is None
        else float(cosine(first.vector, second.vector)),
        match=found[0] if found else None,
        proof=found[0].proof if found else proof,
    )


def _trimmed(description: Description) -> Any:
    return description.bits if description.bits_trimmed is None else description.bits_trimmed
