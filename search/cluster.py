"""Records that show one picture, and which of them to keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from imaging.record import ImageRecord
from search.match import Match

#: formats that lose nothing by themselves; a WebP or a JPEG 2000 may, and does not say
_LOSSLESS = frozenset({"PNG", "BMP", "TIFF", "PPM", "QOI"})


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """One record of a cluster. `match` says how the record was proven against another one, which is
    `match.record`; None for the keeper."""

    record: ImageRecord
    match: Match | None = None

    def as_json(self) -> dict[str, Any]:
        """The member as services read it; `hamming` is 0 for the keeper."""
        return {
            "id": self.record.id,
            "collection": self.record.collection,
            "source": self.record.source,
            "sources": list(self.record.sources),
            "width": self.record.width,
            "height": self.record.height,
            "size": self.record.size,
            "format": self.record.format,
            "added_at": self.record.added_at.isoformat(),
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
    be different pictures, of which none is proposed."""

    members: tuple[Member, ...]
    note: str = ""

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
        return None if self.note else self.members[0].record

    @property
    def why(self) -> str:
        """Why the keeper is proposed, in words; empty where none is."""
        return "" if self.note else _why(self.records)

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


def preference(record: ImageRecord) -> tuple[Any, ...]:
    """Sorts what to keep to the front: the largest, then the least compressed, then the oldest record."""
    return -_area(record), not _lossless(record), -_density(record), record.added_at, record.key


def _why(records: Sequence[ImageRecord]) -> str:
    if len(records) == 1:
        return "the same bytes everywhere"
    keeper, rival, *_ = records
    if _area(keeper) != _area(rival):
        return f"the largest: {_size(keeper)}, the next {_size(rival)}"
    if _lossless(keeper) != _lossless(rival):
        return f"none is larger, and it is lossless: {keeper.format}, the next {rival.format}"
    if _density(keeper) != _density(rival):
        densities = f"{_density(keeper):.3g} bytes per pixel, the next {_density(rival):.3g}"
        return f"none is larger, and it is the least compressed: {densities}"
    if keeper.added_at != rival.added_at:
        return f"all alike, and it was added first: {keeper.added_at:%Y-%m-%d %H:%M:%S}"
    return "all alike, and it is the first by name"


def _area(record: ImageRecord) -> int:
    return record.width * record.height


def _size(record: ImageRecord) -> str:
    return f"{record.width}x{record.height}"


def _lossless(record: ImageRecord) -> bool:
    return record.format in _LOSSLESS


def _density(record: ImageRecord) -> float:
    """Bytes per pixel."""
    return record.size / max(1, _area(record))
