"""What a search answers."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic

from typing_extensions import TypeVar

from facsimile.imaging.record import ImageRecord, Record
from facsimile.search.proof import Proof

#: the note of a file whose first frame or page is the same, and not the others
FIRST_PAGE_ALIKE = "first page alike"

#: the note of a picture whose negative is asked about, or the other way round
NEGATIVE = "negative"


class Verdict(enum.StrEnum):
    """What can be said of a match, the strongest first.

    `identical`: the same bytes, or the same in every frame, page and pixel. `copy`: the same picture, edited,
    proven by distance or by geometry. `similar`: alike, not proven. `text`: found by the words of the request
    alone.
    """

    IDENTICAL = "identical"
    COPY = "copy"
    SIMILAR = "similar"
    TEXT = "text"


#: what is known of the stored image: all that the index has, or what a server tells a client
RecordT_co = TypeVar("RecordT_co", bound=Record, covariant=True, default=ImageRecord)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match(Generic[RecordT_co]):
    """One record that answers a query.

    `score` is in 0..1 and falls with the distance (see `facsimile.search.ranking.score`). `hamming` is the
    smallest distance in bits (0..256) over the ways to turn and trim both pictures; None where no hash could
    be compared. `cosine` is that of the pictures, or of the region of the query that the record was found by.
    `transform` says what was done to the stored picture to get the query's, as far as the hash can tell.
    `proof` is what verification found, None where it was not made or nothing fits; `note` says what a person
    should know.
    """

    record: RecordT_co
    verdict: Verdict
    score: float
    hamming: int | None = None
    cosine: float | None = None
    transform: Mapping[str, Any] = field(default_factory=dict)
    proof: Proof | None = None
    note: str = ""

    def __str__(self) -> str:
        """One line for people: verdict, score, place, and what was done to the picture."""
        about = "; ".join(part for part in (self.edit, self.note) if part)
        return f"{self.verdict}  {self.score:.3f}  {self.record.place}" + (f"  ({about})" if about else "")

    @property
    def edit(self) -> str:
        """What was done to the stored picture, in words; may be empty."""
        return edit_of(self.proof, self.transform)

    @property
    def transformed(self) -> dict[str, Any] | None:
        """All that is known of what was done to the stored picture; None where it is only re-encoded."""
        proven = self.proof.transformation if self.proof else None
        return {**self.transform, **(proven.as_json() if proven and proven.words else {})} or None

    def as_json(self) -> dict[str, Any]:
        """The match as services read it; `transform` is null where the picture is only re-encoded."""
        return {
            **self.record.as_json(),
            "verdict": str(self.verdict),
            "score": round(self.score, 4),
            "hamming": self.hamming,
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "inliers": self.proof.inliers if self.proof else None,
            "transform": self.transformed,
            "proof": self.proof.as_json() if self.proof else None,
            "note": self.note or None,
        }


def edit_of(proof: Proof | None, transform: Mapping[str, Any]) -> str:
    """What was done to a stored picture, in words: by geometry, or else by the hash."""
    if proof:
        return proof.transformation.words
    orientation = str(transform.get("orientation", "")).replace("-", " ")
    margins = "other margins" if transform.get("margins") else ""
    pasted = "pasted" if transform.get("pasted") else ""
    negative = "negative" if transform.get("negative") else ""
    cut_out = "cut out" if transform.get("cut_out") else ""
    return ", ".join(part for part in (orientation, margins, pasted, cut_out, negative) if part)
