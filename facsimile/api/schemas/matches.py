"""Schemas of matches: verdicts, proofs, and what was done to a stored image."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from facsimile.api.schemas.fields import Image, thumbnail_of
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.search import proof
from facsimile.search.match import Match, Verdict

Orientation = Literal[*ORIENTATIONS]  # type: ignore[valid-type]

Share = Annotated[float, Field(ge=0, le=1)]

#: a point of a picture in shares of its width and height, from the upper left
Point = Annotated[list[Share], Field(min_length=2, max_length=2)]

Polygon = Annotated[
    list[Point],
    Field(
        description="corners, each in shares of width and height",
        examples=[[[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]],
    ),
]

Hamming = Annotated[
    int | None,
    Field(description="bits of 256 in which the hashes differ; null without a hash distance", examples=[12]),
]
Cosine = Annotated[
    float | None, Field(description="of the two vectors; null without vectors", examples=[0.91])
]
Score = Annotated[float, Field(description="the probability of a copy, 0 to 1", examples=[0.9998])]


def _optional(description: str) -> Any:
    """A member that is left out where it says nothing."""
    return Field(None, description=description, exclude_if=lambda value: value is None)


class ProvenTransform(BaseModel):
    """What geometry says was done to the stored image: first mirrored, then turned, scaled and placed."""

    words: str = Field(description="in words; empty: nothing", examples=["crop of 50 %, mirrored"])
    kept: Share = Field(description="share of the stored image's area that is in the query")
    covers: Share = Field(description="share of the query that it fills")
    box: list[float] = Field(
        min_length=4,
        max_length=4,
        description="where: x, y, width, height in shares of the query",
        examples=[[0.1, 0.1, 0.8, 0.8]],
    )
    mirrored: bool = Field(description="left to right")
    turned: float = Field(description="degrees clockwise, -180 to 180", examples=[90.0])
    scale: list[float] = Field(
        min_length=2,
        max_length=2,
        description="pixels of the query per pixel of the stored image, along its width and height",
        examples=[[0.5, 0.5]],
    )
    perspective: float = Field(
        description="greatest by least enlargement within the common area; 1: none", examples=[1.0]
    )


class Transform(BaseModel):
    """What was done to the stored image: as far as the hash tells, and as geometry tells."""

    orientation: Orientation | None = _optional("how it was turned or flipped")
    margins: bool | None = _optional("true: margins were added or cut off")
    pasted: bool | None = _optional("true: it is a part of the query")
    cut_out: bool | None = _optional("true: the query is a part of it")
    negative: bool | None = _optional("true: it is the negative of the query")
    words: str | None = _optional("in words")
    kept: Share | None = _optional("share of the stored image's area that is in the query")
    covers: Share | None = _optional("share of the query that it fills")
    box: list[float] | None = _optional("where: x, y, width, height in shares of the query")
    mirrored: bool | None = _optional("left to right")
    turned: float | None = _optional("degrees clockwise, -180 to 180")
    scale: list[float] | None = _optional("pixels of the query per pixel of the stored image, x and y")
    perspective: float | None = _optional("greatest by least enlargement within the common area")


class Area(BaseModel):
    """The common area in each image."""

    query: Polygon
    stored: Polygon


class Proof(BaseModel):
    """What geometry and pixels say of two images; null is what an earlier version did not measure."""

    finding: proof.ProofVerdict = Field(description="the same picture, or what else is known of the two")
    feature: proof.Feature = Field(description="whole pictures, or the local features that agree")
    inliers: int = Field(
        description="features that agree on one transformation; 0 for whole pictures", examples=[162]
    )
    agreement: float = Field(
        description="median correlation of the pixels of small cells, -1 to 1", examples=[0.98]
    )
    agreeing: float | None = Field(None, description="share of the cells that agree", examples=[0.97])
    residual: float | None = Field(
        None, description="contrast that is left after the best fit; 0: none", examples=[0.08]
    )
    hamming: int = Field(description="bits of 256 in which the hashes of the common area differ")
    parallax: float | None = Field(
        None, description="how far parts of the area moved against each other, in pixels of 128"
    )
    negative: bool = Field(False, description="one is the negative of the other")
    covered: float = Field(0.0, description="share of the common area that something was laid over")
    probability: float = Field(description="of a copy, by geometry, 0 to 1")
    transform: ProvenTransform
    area: Area


class FoundImage(Image):
    """A stored image that answers a query."""

    source: str = Field(description="the first of its sources; empty: none")
    verdict: Verdict
    score: Score
    hamming: Hamming
    cosine: Cosine
    inliers: int | None = Field(description="features that agree on one transformation; null without a proof")
    transform: Transform | None = Field(
        description="what was done to the stored image; null where it is only encoded anew",
        examples=[{"orientation": "flip-horizontal"}],
    )
    proof: Proof | None = Field(description="what geometry found; null where nothing fits")
    note: str | None = Field(description="a remark on the verdict", examples=["same scene"])

    @classmethod
    def of_match(cls, match: Match) -> FoundImage:
        """The schema of a match."""
        return cls(**match.as_json(), thumbnail=thumbnail_of(match.record.key))
