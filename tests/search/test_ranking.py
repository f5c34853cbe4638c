"""Candidates in order: which evidence counts for what."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from PIL import Image

from imaging.describe import describe, looks
from imaging.panels import looks_of_panels
from imaging.record import Description, ImageRecord
from search.match import Verdict
from search.query import Variant
from search.ranking import Thresholds, judge
from tests.imaging.pictures import encoded, photograph

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
    variants = [
        Variant(look.bits, (), look.orientation, look.trimmed, part)
        for part, of in ((False, looks(query)), (True, looks_of_panels(query)))
        for look in of
    ]
    records = [ImageRecord.of(resembling, id="resembling"), ImageRecord.of(stored, id="in the page")]
    found = judge(query, variants, records, Thresholds(similar=90, similar_cosine=0.35))
    assert [match.record.id for match in found] == ["in the page", "resembling"]
    # its hash alone is no proof: other pages may show the same logo
    assert [match.verdict for match in found] == [Verdict.SIMILAR, Verdict.SIMILAR]
