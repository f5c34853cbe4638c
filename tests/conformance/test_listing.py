"""Counting, filtering, listing page by page, deleting by filter."""

from __future__ import annotations

import numpy as np
import pytest

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.query import Filter
from tests.support.records import digest, only, random_vector, record


@pytest.fixture
def library(index: Index, rng: np.random.Generator) -> Index:
    index.put([
        record("1", rng, tags=("red", "big"), sources=("/a/1.jpg", "https://x.org/1"),
               metadata={"camera": {"model": "X-100", "lens": [35, 50.5]}, "sold": True, "n": 7}),
        record("2", rng, tags=("red",), format="PNG", metadata={"camera": {"model": "Y"}, "sold": False}),
        record("3", rng, collection="other",
               metadata={"camera": "none", "n": "7", "deep": [{"a": 1}, {"a": 2}]}),
        record("4", rng, collection="other", tags=("Red",), metadata={"empty": None, "n": 7.0}),
    ])  # fmt: skip
    index.refresh()
    return index


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (Filter(), "1234"),
        (Filter(collections=("other",)), "34"),
        (Filter(collections=("other", "default", "nobody")), "1234"),
        (Filter(collections=("nobody",)), ""),
        (only(id="2"), "2"),
        (Filter(terms={"id": ("1", "4", "9")}), "14"),
        (only(sha256=digest("bytes of 3")), "3"),
        (only(format="PNG"), "2"),
        (only(source="https://x.org/1"), "1"),
        (only(source="/a"), ""),
        (only(tags="red"), "12"),
        (only(tags="re"), ""),
        (Filter(terms={"tags": ("big", "Red")}), "14"),
        (Filter(terms={"tags": ("red",), "format": ("PNG",)}), "2"),
        (Filter(collections=("other",), terms={"tags": ("red",)}), ""),
        (only(camera__model="X-100"), "1"),
        (only(metadata__camera__model="X-100"), "1"),
        (only(camera="none"), "3"),
        (only(camera__lens="35"), "1"),
        (only(camera__lens="50.5"), "1"),
        (only(sold="true"), "1"),
        (only(sold="false"), "2"),
        (only(sold="True"), ""),
        (only(n="7"), "13"),
        (only(n="7.0"), "4"),
        (only(deep__a="2"), "3"),
        (only(empty="None"), ""),
        (only(nothing="at all"), ""),
        (only(title="' OR 1=1 --"), ""),
    ],
)
def test_filters(library: Index, filter: Filter, expected: str) -> None:
    assert "".join(each.id for each in library.scan(filter)) == expected
    assert library.count(filter) == len(expected)


def test_counts_by_collection(library: Index) -> None:
    assert library.collections() == {"default": 2, "other": 2}
    assert library.count() == 4
    library.delete([Key("other", "3"), Key("other", "4")])
    library.refresh()
    assert library.collections() == {"default": 2}


def test_writes_show_after_a_refresh(index: Index, rng: np.random.Generator) -> None:
    put = record("1", rng)
    index.put([put])
    assert set(index.get([put.key])) == {put.key}
    index.refresh()
    assert (index.count(), index.collections(), [each.id for each in index.scan()]) == (
        1,
        {"default": 1},
        ["1"],
    )


def test_pages_are_ordered_by_key_and_leave_nothing_out(index: Index, rng: np.random.Generator) -> None:
    names = ["b", "a", "Z", "é", "猫", "10", "9", "a/b", "a\nb", "🐈", "ﬀ"]
    index.put(
        [record(name, rng, collection=collection) for name in names for collection in ("x", "X", "x-1")]
    )
    index.refresh()
    expected = sorted(
        (Key(collection, name) for name in names for collection in ("x", "X", "x-1")),
        key=lambda key: (key.collection.encode(), key.id.encode()),
    )
    for limit in (1, 7, 33, 100):
        found: list[Key] = []
        cursor = None
        while True:
            page = index.page(Filter(), cursor=cursor, limit=limit)
            assert len(page.records) <= limit
            found += [each.key for each in page.records]
            cursor = page.cursor
            if cursor is None:
                break
        assert found == expected


def test_a_cursor_survives_writes(index: Index, rng: np.random.Generator) -> None:
    index.put([record(f"{n:03}", rng) for n in range(20)])
    index.refresh()
    page = index.page(Filter(), cursor=None, limit=8)
    index.delete([Key("default", "007"), Key("default", "010")])
    index.put([record("000b", rng), record("0095", rng), record("999", rng)])
    index.refresh()
    rest: list[str] = []
    while page.cursor is not None:
        page = index.page(Filter(), cursor=page.cursor, limit=8)
        rest += [each.id for each in page.records]
    assert rest == ["008", "009", "0095", *(f"{n:03}" for n in range(11, 20)), "999"]


def test_a_full_page_brings_the_heavy_fields(index: Index, rng: np.random.Generator) -> None:
    index.put([record("1", rng, vector=random_vector(rng), thumbnail=b"jpeg")])
    index.refresh()
    (light,), (full,) = index.scan(), index.scan(full=True)
    assert (light.thumbnail, light.vector) == (None, None)
    assert full.thumbnail == b"jpeg" and full.vector is not None


@pytest.mark.parametrize("cursor", ["", "no cursor", "bm8=", "W10=", "é", "e30="])
def test_a_foreign_cursor_is_refused(index: Index, cursor: str) -> None:
    with pytest.raises(InvalidRequest, match="cursor"):
        index.page(Filter(), cursor=cursor, limit=10)


def test_deleting_while_scanning(index: Index, rng: np.random.Generator) -> None:
    index.put([record(f"{n:04}", rng) for n in range(1200)])
    index.refresh()
    seen = 0
    for each in index.scan():
        index.delete([each.key]) if seen % 100 == 0 else None
        seen += 1
    index.refresh()
    assert (seen, index.count()) == (1200, 1188)


def test_delete_where(library: Index, rng: np.random.Generator) -> None:
    assert library.delete_where(only(tags="red")) == 2
    assert library.delete_where(only(tags="red")) == 0
    assert [each.id for each in library.scan()] == ["3", "4"]
    library.put([record(f"{n:04}", rng, collection="many") for n in range(1100)])
    assert library.delete_where(Filter(collections=("many",))) == 1100
    assert library.count() == 2


def test_deleting_everything_takes_more_than_an_empty_filter(library: Index) -> None:
    with pytest.raises(InvalidRequest, match="without a filter"):
        library.delete_where(Filter())
    assert library.count() == 4
