"""What the client answers: the JSON of the server as values with the attributes of the embedded object's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from facsimile.search.match import Verdict, edit_of
from facsimile.search.proof import Proof
from facsimile.search.transformation import Transformation


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A stored image as a match tells of it. `thumbnail` is the path of a JPEG of at most 320 px."""

    id: str
    collection: str
    sources: tuple[str, ...]
    gone: tuple[str, ...]
    title: str
    tags: tuple[str, ...]
    metadata: Mapping[str, Any] = field(hash=False)
    width: int
    height: int
    thumbnail: str

    @property
    def source(self) -> str:
        """The place where these bytes were met first; empty where nobody said."""
        return self.sources[0] if self.sources else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(Record):
    """A stored image with all that the server tells of it; `size` is in bytes."""

    sha256: str
    format: str
    size: int
    quality: int
    added_at: datetime

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From the JSON of the server."""
        return cls(
            **_record(told),
            sha256=told["sha256"],
            format=told["format"],
            size=told["size"],
            quality=told["quality"],
            added_at=datetime.fromisoformat(told["added_at"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """One stored image that answers a query; the attributes are those of `facsimile.search.match.Match`."""

    record: Record
    verdict: Verdict
    score: float
    hamming: int | None
    cosine: float | None
    transform: Mapping[str, Any] = field(hash=False)
    proof: Proof | None
    note: str

    @property
    def edit(self) -> str:
        """What was done to the stored picture, in words; may be empty."""
        return edit_of(self.proof, self.transform)

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From the JSON of the server."""
        return cls(
            record=Record(**_record(told)),
            verdict=Verdict(told["verdict"]),
            score=told["score"],
            hamming=told["hamming"],
            cosine=told["cosine"],
            transform=told["transform"] or {},
            proof=_proof(told["proof"]),
            note=told["note"] or "",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every distance of two images in bits of 256; `verdict` is `different` where a search finds nothing."""

    verdict: str
    score: float
    same_bytes: bool
    same_pixels: bool
    hamming: int | None
    hamming_upright: int
    hamming_trimmed: int
    orientation: str
    cosine: float | None
    transform: Mapping[str, Any] = field(hash=False)
    proof: Proof | None
    note: str
    quality: tuple[int, int]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From the JSON of the server."""
        plain = ("verdict", "score", "same_bytes", "same_pixels", "hamming", "orientation", "cosine")
        return cls(
            **{name: told[name] for name in (*plain, "hamming_upright", "hamming_trimmed")},
            transform=told["transform"] or {},
            proof=_proof(told["proof"]),
            note=told["note"] or "",
            quality=tuple(told["quality"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What became of an image: `added`, `updated`, `unchanged`; or `queued`, and then the id of a `job`."""

    id: str
    collection: str
    status: str
    job: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """How far a job of the queue is. Every accepted image is in exactly one of the counts, or `pending`."""

    id: str
    state: str
    accepted: int
    added: int
    updated: int
    unchanged: int
    failed: int
    cancelled: int
    pending: int
    started: datetime
    finished: datetime | None
    seconds_left: float | None

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """From the JSON of the server."""
        counts = ("accepted", "added", "updated", "unchanged", "failed", "cancelled", "pending")
        return cls(
            id=told["job"],
            **{name: told[name] for name in (*counts, "state", "seconds_left")},
            started=datetime.fromisoformat(told["started"]),
            finished=datetime.fromisoformat(told["finished"]) if told["finished"] else None,
        )


def _record(told: Mapping[str, Any]) -> dict[str, Any]:
    plain = ("id", "collection", "title", "metadata", "width", "height", "thumbnail")
    return {
        **{name: told[name] for name in plain},
        "sources": tuple(told["sources"]),
        "gone": tuple(told["gone"]),
        "tags": tuple(told["tags"]),
    }


def _proof(told: Mapping[str, Any] | None) -> Proof | None:
    if told is None:
        return None
    moved, area = told["transform"], told["area"]
    plain = ("kept", "covers", "mirrored", "turned", "perspective")
    measured = ("inliers", "agreement", "residual", "hamming", "parallax", "negative", "covered", "agreeing")
    return Proof(
        finding=told["finding"],
        feature=told["feature"],
        **{name: told[name] for name in measured},
        transformation=Transformation(
            **{name: moved[name] for name in plain},
            box=tuple(moved["box"]),
            scale=tuple(moved["scale"]),
            in_query=tuple((x, y) for x, y in area["query"]),
            in_stored=tuple((x, y) for x, y in area["stored"]),
        ),
    )
