"""The second question about a picture that the first found no copy of: its regions, and its negative.

A tile of a collage, a picture in a picture or one turned by any angle has neither the hash nor the vector of
the whole (`facsimile.imaging.regions`); a negative has the hash of the picture with every bit turned round.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from facsimile.imaging.describe import HashQuery, Probes, hash_queries_of_negative, hash_queries_of_region
from facsimile.imaging.distance import cosine
from facsimile.imaging.record import Description, ImageRecord, Key
from facsimile.imaging.regions import Region
from facsimile.search.match import NEGATIVE, Match, Verdict
from facsimile.search.proof import Policy
from facsimile.search.query import Filter, IndexQuery
from facsimile.search.ranking import Thresholds, accepted, nearest
from facsimile.search.score import score

#: candidates of each region that are asked for; most copies in collages and insets are the first
_NEAREST = 8

#: candidates of all regions together that are verified, and in vain one after the other
_CANDIDATES = 8
_VAIN = 4

#: share of the query that a proven copy covers, from which there is nothing else to look for
_COVERED = 0.6

#: the most that a match scores of which only a part was compared
_UNPROVEN = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """What is asked a second time: of one region, or of the negative (`region` None)."""

    region: Region | None
    variants: tuple[HashQuery, ...]

    def index_query(self, thresholds: Thresholds, filter: Filter) -> IndexQuery:
        """As an index takes it."""
        vector = self.region.vector if self.region else None
        nearest = 0 if vector is None else _NEAREST
        return IndexQuery(self.variants, thresholds.copy, _NEAREST, filter, vector, nearest)


def is_explained(matches: Iterable[Match]) -> bool:
    """Whether some match accounts for most of the query."""
    return any(
        match.verdict is Verdict.IDENTICAL
        or (
            match.verdict is Verdict.COPY
            and (match.proof is None or match.proof.transformation.covers >= _COVERED)
        )
        for match in matches
    )


def again(query: Description, regions: Iterable[Region], probes: Probes) -> list[Again]:
    """What to ask of a picture and its regions."""
    negative = Again(None, tuple(hash_queries_of_negative(query, probes)))
    return [negative, *(Again(region, tuple(hash_queries_of_region(region, probes))) for region in regions)]


def judge_regions(
    asked: Sequence[Again], found: Iterable[Iterable[ImageRecord]], thresholds: Thresholds
) -> list[Match]:
    """The candidates, for each that was asked, that are near enough to it: each record once, best first.

    Nothing is proven by that.
    """
    best: dict[Key, Match] = {}
    for each, records in zip(asked, found, strict=True):
        for record in records:
            match = _judged(each, record, thresholds)
            if match and (record.key not in best or match.score > best[record.key].score):
                best[record.key] = match
    return sorted(best.values(), key=lambda match: (-match.score, match.record.key))


def _judged(asked: Again, record: ImageRecord, thresholds: Thresholds) -> Match | None:
    near = nearest(asked.variants, record)
    hamming = near.hamming if near and near.hamming <= thresholds.copy else None
    alike = _cosine(asked.region, record)
    if hamming is None and (alike is None or alike < thresholds.similar_cosine):
        return None
    return Match(
        record=record,
        verdict=Verdict.SIMILAR,
        score=score(hamming, alike),
        note="" if asked.region else NEGATIVE,
        hamming=hamming,
        cosine=alike,
        transform={"pasted": True} if asked.region else {"negative": True},
    )


def short(policy: Policy) -> Policy:
    """How much is verified of what regions found."""
    return dataclasses.replace(policy, candidates=min(policy.candidates, _CANDIDATES), vain=_VAIN)


def combined(matches: Sequence[Match], more: Iterable[Match], thresholds: Thresholds) -> list[Match]:
    """The matches of a picture and those of its regions: of one record the proven one, or else the first."""
    found = {match.record.key: match for match in matches}
    for match in accepted(more, thresholds):
        if match.verdict is Verdict.COPY:
            found[match.record.key] = match
        else:
            found.setdefault(match.record.key, dataclasses.replace(match, score=min(match.score, _UNPROVEN)))
    return accepted(found.values(), thresholds)


def _cosine(region: Region | None, record: ImageRecord) -> float | None:
    if region is None or region.vector is None or record.vector is None or not record.quality:
        return None
    return float(cosine(region.vector, record.vector))
