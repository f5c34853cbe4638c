"""Which record of one picture is proposed to be kept, whatever the order in which they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations

import numpy as np
import pytest

from facsimile.imaging.record import ImageRecord
from facsimile.search.keeper import Preference
from tests.support.records import record

NOW = datetime(2026, 5, 17, tzinfo=UTC)


def at(place: str, **fields: object) -> ImageRecord:
    rng = np.random.default_rng(1)
    return record(place, rng, **{"sources": (place,), "added_at": NOW} | fields)


@pytest.mark.parametrize(
    ("original", "copy"),
    [
        ("/p/cat.jpg", "/p/cat copy.jpg"),
        ("/p/cat.jpg", "/p/Copy of cat.jpg"),
        ("/p/cat.jpg", "/p/cat (1).jpg"),
        ("/p/cat.jpg", "/other/cat-Edited.jpg"),
        ("/p/IMG_1234.JPG", "/p/IMG_1234_bright.jpg"),
        ("/p/cat.jpg", "/p/cat.flip.jpg"),
        ("/p/Katze.jpg", "/p/Katze - Kopie.jpg"),
        ("https://shop.example/cat.jpg", "https://shop.example/cat-small.jpg"),
    ],
)
def test_a_name_of_a_copy_is_not_preferred(original: str, copy: str) -> None:
    # by all else the copy would be: it is older, lossless and has more bytes
    older = at(copy, format="PNG", size=99_999, added_at=NOW - timedelta(days=9))
    pair = [at(original), older]
    for some in permutations(pair):
        assert Preference(some).order(some)[0] is pair[0]
    assert "not named as a copy" in Preference(pair).reason(pair)


@pytest.mark.parametrize("names", [("1", "10"), ("copycat", "cat"), ("edition", "x"), ("a", "b")])
def test_other_names_say_nothing(names: tuple[str, str]) -> None:
    first, second = (f"/p/{name}.jpg" for name in names)
    pair = [at(first, added_at=NOW), at(second, added_at=NOW - timedelta(days=1))]
    assert Preference(pair).order(pair)[0] is pair[1]
    pair = [at(first, added_at=NOW - timedelta(days=1)), at(second, added_at=NOW)]
    assert Preference(pair).order(pair)[0] is pair[0]


def test_bytes_per_pixel_say_nothing_and_the_time_of_the_file_does() -> None:
    original, resaved = at("/z.jpg", size=10_000), at("/a.jpg", size=90_000, added_at=NOW - timedelta(1))
    times = {original.key: NOW - timedelta(days=300), resaved.key: NOW - timedelta(days=2)}
    preference = Preference([resaved, original], lambda record: times[record.key])
    assert preference.order([resaved, original]) == [original, resaved]
    assert preference.reason([original, resaved]) == (
        "the oldest of the largest: 2025-07-21 00:00:00, the next 2026-05-15 00:00:00"
    )


def test_equal_ones_are_told_apart_by_name_alone() -> None:
    records = [at("/b.jpg"), at("/a.jpg"), at("/c.jpg")]
    for some in permutations(records):
        assert [each.id for each in Preference(some).order(some)] == ["/a.jpg", "/b.jpg", "/c.jpg"]
    assert Preference(records).reason(records) == "the first by name of equal ones"


def test_what_is_gone_comes_last_and_is_not_kept() -> None:
    gone = at("/a.jpg", width=9999, gone=("/a.jpg",))
    here = at("/b.jpg")
    order = Preference([gone, here]).order([gone, here])
    assert order == [here, gone]
    assert Preference([gone]).reason([gone]) == ""
