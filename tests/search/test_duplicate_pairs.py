"""What ties two records: the rules by themselves."""

from __future__ import annotations

import pytest

from facsimile.imaging.describe import describe
from facsimile.imaging.record import ImageRecord
from facsimile.search.duplicates.pairs import DuplicateRules
from facsimile.search.match import Match, Verdict
from tests.support.pictures import encoded, photograph


@pytest.mark.parametrize(
    ("verdict", "hamming", "note", "tied"),
    [
        (Verdict.IDENTICAL, None, "", True),
        (Verdict.COPY, 48, "", True),
        (Verdict.COPY, 120, "", True),
        (Verdict.COPY, 254, "negative", True),
        (Verdict.SIMILAR, 120, "same scene", False),
        (Verdict.SIMILAR, 4, "same template", False),
        (Verdict.SIMILAR, 60, "", False),
    ],
)
def test_copies_are_tied_and_nothing_that_pixels_tell_apart(
    verdict: Verdict, hamming: int | None, note: str, tied: bool
) -> None:
    record = ImageRecord.of(describe(encoded(photograph())))
    match = Match(record=record, verdict=verdict, score=0.9, hamming=hamming, note=note)
    assert DuplicateRules().ties(match) is tied


def test_without_geometry_candidates_end_where_the_hash_alone_proves() -> None:
    assert DuplicateRules().reach.similar == 90
    alone = DuplicateRules(verify=False).reach
    assert (alone.copy, alone.similar) == (48, 48) and alone.similar_cosine > 1
