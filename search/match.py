"""What a search answers."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from imaging.record import ImageRecord


class Verdict(enum.StrEnum):
    """What can be said of a match, the strongest first.

    `identical`: the same bytes, or the same pixels after decoding. `copy`: the same picture, edited, proven
    by distance. `similar`: alike, not proven. `text`: found by the words of the request alone.
    """

    IDENTICAL = "identical"
    COPY = "copy"
    SIMILAR = "similar"
    TEXT = "text"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Match:
    """One record that answers a query.

    `score` is in 0..1 and falls with the distance (see `search.ranking.score`). `hamming` is the smallest
    distance in bits (0..256) over the ways to turn and trim both pictures; None where no hash could be
    compared. `transform` says what was done to the stored picture to get the query's.
    """

    record: ImageRecord
    verdict: Verdict
    score: float
    hamming: int | None = None
    cosine: float | None = None
    inliers: int | None = None
    transform: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """The match as services read it; `transform` is null where the picture is only re-encoded."""
        return {
            "id": self.record.id,
            "source": self.record.source,
            "collection": self.record.collection,
            "verdict": str(self.verdict),
            "score": round(self.score, 4),
            "hamming": self.hamming,
            "cosine": None if self.cosine is None else round(self.cosine, 4),
            "inliers": self.inliers,
            "transform": dict(self.transform) or None,
            "metadata": dict(self.record.metadata),
            "sources": list(self.record.sources),
            "title": self.record.title,
            "tags": list(self.record.tags),
            "width": self.record.width,
            "height": self.record.height,
        }
