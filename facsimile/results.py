"""Results that the library and the client share: each is made from the JSON that services read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Self

from facsimile.imaging.record import Record
from facsimile.search.match import Match, Verdict
from facsimile.search.proof import Proof
from facsimile.search.transformation import Transformation


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """The outcome of storing an image: `added`, `updated`, `unchanged`; or `queued`, with the id of the
    `job`."""

    id: str
    collection: str
    status: str
    job: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every distance of two images.

    `verdict` is that of a search for the second image that meets the first; `different` where it would not be
    found. Hamming distances are in bits of 256: as the images are (`hamming_upright`), without flat margins
    (`hamming_trimmed`), and the smallest (`hamming`), which is None where an image is blank. `quality` is
    that of the first and the second image.
    """

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
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `/v1/compare` answers."""
        plain = ("verdict", "score", "same_bytes", "same_pixels", "hamming", "orientation", "cosine")
        return cls(
            **{name: data[name] for name in (*plain, "hamming_upright", "hamming_trimmed")},
            transform=data["transform"] or {},
            proof=_proof(data["proof"]),
            note=data["note"] or "",
            quality=tuple(data["quality"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """The progress of a job of the queue. Every accepted image is in exactly one of the counts, or `pending`.

    `state` is `open` while images may still be accepted, else `closed`, `finished` or `cancelled`; `kind` is
    `ingest` or `compare`. `rate` is in images per second.
    """

    id: str
    state: str
    kind: str
    accepted: int
    added: int
    updated: int
    unchanged: int
    failed: int
    cancelled: int
    pending: int
    started: datetime
    finished: datetime | None
    rate: float
    seconds_left: float | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `/v1/jobs/{job}` answers."""
        counts = ("accepted", "added", "updated", "unchanged", "failed", "cancelled", "pending")
        return cls(
            id=data["job"],
            **{name: data[name] for name in (*counts, "state", "kind", "rate", "seconds_left")},
            started=datetime.fromisoformat(data["started"]),
            finished=_time(data["finished"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A scan of a collection of suspects for the works of a catalogue.

    `phase` is `waiting`, `reading`, `planning`, `comparing` or `idle`. `findings` is the number of findings
    in each state of review. `job` is the id of the run under way, `last_run` that of the last one.
    """

    name: str
    catalogue: str
    suspects: str
    phase: str
    include_similar: bool
    findings: Mapping[str, int] = field(hash=False)
    job: str | None
    last_run: str | None
    created: datetime | None
    begun: datetime | None
    ended: datetime | None
    every_seconds: int | None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From what `/v1/scans/{name}` answers."""
        plain = ("catalogue", "suspects", "phase", "include_similar", "job", "last_run", "every_seconds")
        return cls(
            name=data["scan"],
            **{name: data[name] for name in plain},
            findings=dict(data["findings"]),
            created=_time(data["created"]),
            begun=_time(data["begun"]),
            ended=_time(data["ended"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanResult(Scan):
    """A scan that was carried out here, and what its run did.

    `new` is the number of new findings, `failed` that of suspects and works that could not be read or
    compared. `left_out` counts the matches in which geometry found a work, though not as a copy, and which
    became no findings, since only proven copies were wanted. `compared` has the number of suspects and works,
    and of the new ones among them.
    """

    run: str
    new: int
    left_out: int
    failed: int
    seconds: float
    compared: Mapping[str, int] = field(hash=False)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a scan and what its run did."""
        counts = data["counts"]
        scan = Scan.from_json(data)
        return cls(
            **{each.name: getattr(scan, each.name) for each in fields(Scan)},
            run=data["run"],
            new=data["new_findings"],
            left_out=data["similar_left_out"],
            failed=data["failed"],
            seconds=data["seconds"],
            compared=counts,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A suspect that shows a work, with the evidence and its review.

    `suspect` and `work` are records as they were when they were compared. `state` is `open`, `confirmed`,
    `dismissed` or `licensed`. `edit` says in words what was done to the work. `sites` are the hosts of the
    suspect. `history` has the decisions, the first one first.
    """

    id: str
    scan: str
    state: str
    verdict: Verdict
    score: float
    hamming: int | None
    cosine: float | None
    edit: str
    note: str
    transform: Mapping[str, Any] = field(hash=False)
    proof: Proof | None
    suspect: Record
    work: Record
    sites: tuple[str, ...]
    evidence: Mapping[str, Any] = field(hash=False)
    reviewer: str
    history: Sequence[Mapping[str, Any]] = field(hash=False)
    found: datetime
    changed: datetime

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Self:
        """From a line of `findings.jsonl`, or what the routes of findings answer."""
        plain = ("scan", "state", "score", "hamming", "cosine", "edit", "note", "reviewer")
        return cls(
            id=data["finding"],
            **{name: data[name] for name in plain},
            verdict=Verdict(data["verdict"]),
            transform=data["transform"] or {},
            proof=_proof(data["proof"]),
            suspect=Record.from_json(data["suspect"]),
            work=Record.from_json(data["work"]),
            sites=tuple(data["sites"]),
            evidence=data["evidence"],
            history=tuple(data["history"]),
            found=datetime.fromisoformat(data["found"]),
            changed=datetime.fromisoformat(data["changed"]),
        )


def match_from_json(data: Mapping[str, Any]) -> Match[Record]:
    """A match as a server describes it."""
    return Match(
        record=Record.from_json(data),
        verdict=Verdict(data["verdict"]),
        score=data["score"],
        hamming=data["hamming"],
        cosine=data["cosine"],
        transform=data["transform"] or {},
        proof=_proof(data["proof"]),
        note=data["note"] or "",
    )


def _proof(data: Mapping[str, Any] | None) -> Proof | None:
    if data is None:
        return None
    transform, area = data["transform"], data["area"]
    plain = ("kept", "covers", "mirrored", "turned", "perspective")
    measured = ("inliers", "agreement", "residual", "hamming", "parallax", "negative", "covered", "agreeing")
    return Proof(
        finding=data["finding"],
        feature=data["feature"],
        **{name: data[name] for name in measured},
        transformation=Transformation(
            **{name: transform[name] for name in plain},
            box=tuple(transform["box"]),
            scale=tuple(transform["scale"]),
            in_query=tuple((x, y) for x, y in area["query"]),
            in_stored=tuple((x, y) for x, y in area["stored"]),
        ),
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
