"""Records that show one picture, of which one is proposed to be kept (see facsimile.search.keeper)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from facsimile.imaging.record import ImageRecord
from facsimile.search.match import Match


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One record of a cluster. `match` says how the record was proven against another one, which is
    `match.record`; None for the keeper."""

    record: ImageRecord
    match: Match | None = None

    def as_json(self) -> dict[str, Any]:
        """The member as services read it; `hamming` is 0 for the keeper."""
        return {
            **self.record.as_json(),
            "hamming": self.match.hamming if self.match else _self_distance(self.record),
            "relation": _relation(self.match) if self.match else None,
        }


def _self_distance(record: ImageRecord) -> int | None:
    return 0 if record.quality else None


def _relation(match: Match) -> dict[str, Any]:
    return {
        "to": {"collection": match.record.collection, "id": match.record.id},
        "verdict": str(match.verdict),
        "hamming": match.hamming,
        "cosine": None if match.cosine is None else round(match.cosine, 4),
        "inliers": match.proof.inliers if match.proof else None,
        "agreement": round(match.proof.agreement, 3) if match.proof else None,
        "edit": match.edit or None,
        "note": match.note or None,
    }


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Records that show one picture, the one to keep first, or, with the `note` `same scene`, two that may
    be different pictures, of which none is proposed. `why` says why the keeper is, in words."""

    members: tuple[Member, ...]
    note: str = ""
    why: str = ""

    @property
    def records(self) -> tuple[ImageRecord, ...]:
        """The records, the keeper first."""
        return tuple(member.record for member in self.members)

    @property
    def places(self) -> int:
        """In how many places the picture lies."""
        return sum(max(1, len(record.sources)) for record in self.records)

    @property
    def keeper(self) -> ImageRecord | None:
        """The record that is proposed to be kept: a proposal, since only its owner knows what it is for."""
        record = self.members[0].record
        return None if self.note or record.is_gone else record

    def as_json(self) -> dict[str, Any]:
        """The cluster as services read it."""
        keeper = self.keeper
        return {
            "places": self.places,
            "keeper": {"collection": keeper.collection, "id": keeper.id} if keeper else None,
            "why": self.why or None,
            "note": self.note or None,
            "images": [member.as_json() for member in self.members],
        }
