"""Schemas of findings: a suspect that shows a work, the evidence, and what people decided."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from facsimile.api.schemas.fields import JsonObject, Page, Time
from facsimile.api.schemas.matches import Cosine, Hamming, Proof, Score, Transform
from facsimile.workers.scanning.findings import Finding as StoredFinding
from facsimile.workers.scanning.findings import Review

#: a setting that a comparison went by; which there are depends on the version that compared
Parameter = bool | int | float | str | None
Parameters = Annotated[dict[str, Parameter], Field(examples=[{"copy": 48, "similar": 80}])]


class RecordFacts(BaseModel):
    """A record as a finding keeps it."""

    id: str = Field(examples=["people/Eileen"])
    collection: str = Field(examples=["works"])
    source: str = Field(description="the first of its sources; empty: none")
    sources: list[str]
    sha256: str = Field(description="of the bytes, in hex")
    pixels: str = Field(description="SHA-256 of the decoded picture, in hex")
    width: int = Field(examples=[1024])
    height: int = Field(examples=[768])
    format: str = Field(examples=["JPEG"])
    size: int = Field(description="bytes of the file", examples=[184_213])
    quality: int | None = Field(None, description="0 for blank pictures; null: not recorded")
    hash: str = Field(description="the perceptual hash, 256 bits in hex")
    title: str
    tags: list[str]
    metadata: JsonObject
    pages: list[Page] = Field([], description="web pages that show the image, the first ones only")
    added_at: Time


class FindingEvidence(BaseModel):
    """What a finding rests on: the bytes, when they were seen, and the rules of the comparison."""

    suspect_sha256: str
    work_sha256: str
    urls: list[str] = Field(description="where the suspect's bytes were seen")
    first_seen: Time
    compared: Time = Field(description="the last comparison")
    run: str = Field(description="the run that compared last")
    signatures: Parameters = Field(description="names and versions of hash and model")
    thresholds: Parameters
    verification: Parameters
    similar: bool = Field(description="whether unproven matches become findings, too")
    program: str = Field(description="version of the program")


class ReviewEvent(BaseModel):
    """One decision or comment."""

    at: Time
    reviewer: str
    state: Review | None = Field(description="null: only a comment")
    comment: str


class Finding(BaseModel):
    """A suspect in which a work was found."""

    finding: str = Field(examples=["4395b729565338f443774f72"])
    scan: str = Field(examples=["works"])
    state: Review
    sites: list[str] = Field(
        description="hosts that the suspect was found on; `files` for what has no web address",
        examples=[["shop.example"]],
    )
    found: Time
    changed: Time
    verdict: Literal["identical", "copy", "similar"]
    score: Score
    hamming: Hamming
    cosine: Cosine
    edit: str = Field(description="what was done to the work, in words", examples=["mirrored"])
    note: str = Field(description="a remark on the verdict; empty: none", examples=["same scene"])
    transform: Transform | None
    proof: Proof | None = Field(description="`query` is the suspect, `stored` the work")
    suspect: RecordFacts
    work: RecordFacts
    evidence: FindingEvidence
    reviewer: str = Field(description="of the last decision; empty: none yet")
    history: list[ReviewEvent]

    @classmethod
    def of(cls, finding: StoredFinding) -> Finding:
        """The schema of a finding."""
        return cls.model_validate(finding.as_json())


class FindingPage(BaseModel):
    """A page of findings, open ones first; it may hold fewer than the limit, or none."""

    findings: list[Finding]
    cursor: str | None = Field(description="asks for the next page; null at the end")
