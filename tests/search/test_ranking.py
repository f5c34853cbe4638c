"""Candidates in order: which evidence counts for what, of whole pictures and of panels."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from PIL import Image

from facsimile.imaging.describe import HashQuery, describe, hash_queries, hash_queries_of_panels
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.match import Match, Verdict
from facsimile.search.ranking import Thresholds, accepted, fused, judge
from tests.support.pictures import encoded, photograph
from tests.support.records import flipped, random_bits, random_panels, record

RNG = np.random.default_rng(5)
QUERY = record("query", RNG)
UPRIGHT = HashQuery(QUERY.bits, (), panels=True)
PART = HashQuery(random_bits(RNG), (), part=True)
FIRST, SECOND = np.eye(2, dtype=np.float32)


def described(picture: Image.Image, vector: np.ndarray) -> Description:
    return dataclasses.replace(describe(encoded(picture)), vector=vector)


@pytest.mark.parametrize("cosine", [0.5, 0.55])
def test_a_picture_in_a_page_comes_before_what_only_resembles_the_page(cosine: float) -> None:
    page = Image.new("RGB", (800, 1000), "white")
    page.paste(photograph("chelsea.png", 300), (60, 80))
    page.paste(photograph("rocket.jpg", 600), (60, 420))
    query = described(page, FIRST)
    stored = described(photograph("chelsea.png", 1000), SECOND)
    resembling = described(photograph("coffee.png"), cosine * FIRST + (1 - cosine**2) ** 0.5 * SECOND)
    variants = [*hash_queries(query), *hash_queries_of_panels(query)]
    records = [ImageRecord.of(resembling, id="resembling"), ImageRecord.of(stored, id="in the page")]
    found = judge(query, variants, records, Thresholds(similar=90, similar_cosine=0.35))
    assert [match.record.id for match in found] == ["in the page", "resembling"]
    # its hash alone is no proof: other pages may show the same logo
    assert [match.verdict for match in found] == [Verdict.SIMILAR, Verdict.SIMILAR]


def judged(candidate: ImageRecord, *variants: HashQuery) -> Match | None:
    found = judge(QUERY, variants, [candidate], Thresholds())
    return found[0] if found else None


@pytest.mark.parametrize("far", [0, 48, 80, 81])
def test_a_near_panel_is_similar_and_no_copy(far: int) -> None:
    panels = random_panels(RNG, 4)
    panels[2] = flipped(QUERY.bits, far, RNG)
    told = judged(record("page", RNG, panels=panels), UPRIGHT)
    if far > 80:
        assert told is None
    else:
        assert told is not None
        assert (told.verdict, told.hamming, told.transform) == (Verdict.SIMILAR, far, {"cut_out": True})
        assert told.edit == "cut out"


def test_who_does_not_ask_for_panels_is_not_told_of_them() -> None:
    page = record("page", RNG, panels=QUERY.bits[None])
    assert judged(page, dataclasses.replace(UPRIGHT, panels=False)) is None
    assert judged(page.replaced(quality=0), UPRIGHT) is None


def test_the_whole_counts_before_a_nearer_panel_and_the_nearer_part_before_the_other() -> None:
    page = record("page", RNG, bits=flipped(QUERY.bits, 70, RNG), panels=flipped(QUERY.bits, 3, RNG)[None])
    whole = judged(page, UPRIGHT, PART)
    assert whole is not None and (whole.hamming, whole.transform) == (70, {})
    for of_query, of_stored, told in ((9, 3, "cut_out"), (3, 9, "pasted")):
        both = record(
            "both",
            RNG,
            bits=flipped(PART.bits, of_query, RNG),
            panels=flipped(QUERY.bits, of_stored, RNG)[None],
        )
        found = judged(both, UPRIGHT, PART)
        assert found is not None and (found.hamming, found.transform) == (3, {told: True})


def test_a_turn_and_margins_of_the_query_are_told_with_a_panel() -> None:
    mirrored = dataclasses.replace(UPRIGHT, orientation="flip-horizontal", trimmed=True)
    told = judged(record("page", RNG, panels=QUERY.bits[None]), mirrored)
    assert told is not None
    assert told.transform == {"orientation": "flip-horizontal", "margins": True, "cut_out": True}


def matched(id: str, verdict: Verdict, **fields: Any) -> Match:
    return Match(record=record(id, RNG), verdict=verdict, **{"score": 0.5, **fields})


@pytest.mark.parametrize(
    ("match", "kept"),
    [
        (matched("same bytes", Verdict.IDENTICAL, hamming=None), True),
        (matched("proven, though far", Verdict.COPY, hamming=130), True),
        (matched("near by its hash", Verdict.SIMILAR, hamming=80), True),
        (matched("too far by its hash", Verdict.SIMILAR, hamming=81), False),
        (matched("near by its vector", Verdict.SIMILAR, hamming=200, cosine=0.5), True),
        (matched("too far by both", Verdict.SIMILAR, hamming=81, cosine=0.49), False),
        (matched("nothing known", Verdict.SIMILAR, hamming=None, cosine=None), False),
    ],
    ids=lambda value: value.record.id if isinstance(value, Match) else "",
)
def test_only_what_is_near_or_proven_is_accepted(match: Match, kept: bool) -> None:
    assert accepted([match], Thresholds()) == ([match] if kept else [])


def test_accepted_matches_are_ordered_by_verdict_then_score_then_distance() -> None:
    best_first = [
        matched("same", Verdict.IDENTICAL, score=1.0),
        matched("copy", Verdict.COPY, score=0.7, hamming=60),
        matched("nearer", Verdict.COPY, score=0.6, hamming=3),
        matched("farther", Verdict.COPY, score=0.6, hamming=4),
        matched("alike", Verdict.SIMILAR, score=0.9, hamming=20),
    ]
    assert accepted(reversed(best_first), Thresholds()) == best_first


@pytest.mark.parametrize(
    ("far", "verdict"), [(48, Verdict.COPY), (49, Verdict.SIMILAR), (80, Verdict.SIMILAR)]
)
def test_thresholds_of_the_whole_picture_are_inclusive(far: int, verdict: Verdict) -> None:
    found = judged(record("far", RNG, bits=flipped(QUERY.bits, far, RNG)), UPRIGHT)
    assert found is not None and (found.verdict, found.hamming) == (verdict, far)
    assert judged(record("too far", RNG, bits=flipped(QUERY.bits, 81, RNG)), UPRIGHT) is None


def test_vectors_of_blank_pictures_count_for_nothing() -> None:
    query = dataclasses.replace(QUERY, vector=FIRST)
    for quality, expected in ((80, 1), (0, 0)):
        candidate = record("alike", RNG, vector=FIRST, quality=quality)
        assert len(judge(query, [], [candidate], Thresholds())) == expected


def test_fusion_puts_what_both_rankings_found_before_what_one_found() -> None:
    by_picture = [matched("picture", Verdict.COPY), matched("both", Verdict.SIMILAR)]
    by_words = [record("words", RNG), by_picture[1].record]
    found = fused(by_picture, by_words)
    assert [match.record.id for match in found] == ["both", "picture", "words"]
    assert [match.verdict for match in found] == [Verdict.SIMILAR, Verdict.COPY, Verdict.TEXT]


def test_a_similar_match_scores_half_of_what_a_copy_at_its_distance_would() -> None:
    candidate = record("far", RNG, bits=flipped(QUERY.bits, 60, RNG))
    found = judged(candidate, UPRIGHT)
    (as_copy,) = judge(QUERY, [UPRIGHT], [candidate], Thresholds(copy=60))
    assert found is not None and (found.verdict, as_copy.verdict) == (Verdict.SIMILAR, Verdict.COPY)
    assert found.score == pytest.approx(as_copy.score / 2)


def test_fusion_adds_reciprocal_ranks() -> None:
    """1 / 60 + 1 / 62 is more than 2 / 61: the sum is convex in the ranks."""
    ends, middle, last, first = (matched(id, Verdict.COPY) for id in ("ends", "middle", "last", "first"))
    by_words = [first.record, middle.record, ends.record]
    found = [match.record.id for match in fused([ends, middle, last], by_words)]
    assert found.index("ends") < found.index("middle")


def test_a_whole_picture_within_the_threshold_counts_before_a_nearer_panel() -> None:
    far = flipped(QUERY.bits, Thresholds().similar, RNG)
    found = judged(record("page", RNG, bits=far, panels=flipped(QUERY.bits, 3, RNG)[None]), UPRIGHT)
    assert found is not None and (found.hamming, found.transform) == (Thresholds().similar, {})


def test_the_same_bytes_are_certain() -> None:
    found = judged(record("same", RNG, sha256=QUERY.sha256), UPRIGHT)
    assert found is not None and (found.verdict, found.score) == (Verdict.IDENTICAL, 1.0)
