"""Candidates in order: which evidence counts for what, of whole pictures and of panels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from facsimile.imaging.describe import HashQuery, describe, hash_queries, hash_queries_of_panels
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.match import Match, Verdict
from facsimile.search.ranking import Thresholds, judge
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
