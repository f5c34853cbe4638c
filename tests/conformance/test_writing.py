"""Records go in and come back; what a write comes to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread
from typing import Any

import numpy as np
import pytest

from facsimile.imaging.record import MOST_PAGES, Key, WebPage
from facsimile.search.index.base import Index, Status
from tests.conformance.conftest import Place
from tests.support.records import (
    digest,
    look,
    only,
    question,
    random_bits,
    random_panels,
    random_vector,
    record,
    statuses,
)

HOSTILE_IDS = [
    "a/b/../c",
    "two\nlines\tand a tab",
    "Ünïcödé 猫 🐈",
    " leading and trailing ",
    "%2F?#&=+",
    "'; DROP TABLE records; --",
    "x" * 512,
    "é" * 256,
    ".",
    "_id",
]


SEEN = datetime(2026, 3, 1, 12, tzinfo=UTC)


def page(number: int, **fields: Any) -> WebPage:
    return WebPage(url=f"https://shop-{number}.example/lamps?p=1", **fields)


def test_pages_are_added_to_those_that_are_stored(index: Index, rng: np.random.Generator) -> None:
    first = record("lamp", rng, pages=(page(1, title="Lamps", text="a lamp", seen_at=SEEN),))
    again = first.replaced(pages=(page(1, title="other"), page(2)))
    assert statuses(index, first) == [Status.ADDED]
    assert statuses(index, again, again, first) == [Status.UPDATED, Status.UNCHANGED, Status.UNCHANGED]
    stored = index.get([first.key])[first.key]
    assert stored.pages == (page(1, title="Lamps", text="a lamp", seen_at=SEEN), page(2))


def test_records_are_found_by_page_and_by_its_host(index: Index, rng: np.random.Generator) -> None:
    statuses(index, record("a", rng, pages=(page(1), page(2))), record("b", rng, pages=(page(2),)))
    index.refresh()

    def found(**terms: str) -> set[str]:
        return {each.id for each in index.scan(only(**terms))}

    assert found(page=page(1).url) == {"a"}
    assert found(site="shop-2.example") == {"a", "b"}
    assert found(site="example") == set()
    index.delete([Key("default", "a")])
    index.refresh()
    assert found(site="shop-1.example") == set()


def test_the_first_pages_are_kept_and_secrets_of_none(index: Index, rng: np.random.Generator) -> None:
    secret = WebPage(url="https://ann:secret@shop.example/")
    many = record("logo", rng, pages=(secret, *map(page, range(MOST_PAGES + 5))))
    assert statuses(index, many) == [Status.ADDED]
    urls = [each.url for each in index.get([many.key])[many.key].pages]
    assert "secret" not in urls[0]
    assert urls[1:] == [page(number).url for number in range(MOST_PAGES - 1)]
    assert statuses(index, record("none", rng, pages=(WebPage(url=""),))) == [Status.FAILED]


def test_every_field_comes_back(index: Index, rng: np.random.Generator) -> None:
    put = record(
        "full",
        rng,
        collection="catalogue",
        quality=37,
        bits_trimmed=random_bits(rng),
        panels=random_panels(rng, 12),
        vector=random_vector(rng),
        thumbnail=bytes(range(256)) * 40,
        sources=("https://example.org/a b?c=d", "/photos/naïve.jpg"),
        title="A cat on a mat",
        tags=("cat", "mat"),
        metadata={"camera": {"model": "X-100", "lens": [35, 50.5]}, "sold": False, "none": None, "n": 7},
        added_at=datetime(2024, 2, 29, 12, 30, 15, 123000, tzinfo=UTC),
    )
    index.put([put])
    got = index.get([put.key])[put.key]
    for field in (
        *("id", "collection", "sha256", "pixels", "width", "height", "format", "size", "quality"),
        *("thumbnail", "sources", "title", "tags", "metadata", "added_at"),
    ):
        assert getattr(got, field) == getattr(put, field), field
    assert np.array_equal(got.bits, put.bits)
    assert got.bits_trimmed is not None and np.array_equal(got.bits_trimmed, put.bits_trimmed)
    assert got.panels.dtype == np.uint8 and np.array_equal(got.panels, put.panels)
    assert got.vector is not None and got.vector.dtype == np.float32
    np.testing.assert_allclose(got.vector, put.vector, atol=4e-3)


def test_what_is_absent_comes_back_absent(index: Index, rng: np.random.Generator) -> None:
    put = record("bare", rng)
    index.put([put])
    got = index.get([put.key])[put.key]
    assert (got.bits_trimmed, got.vector, got.thumbnail) == (None, None, None)
    assert got.panels.shape == (0, 32) and got.panels.dtype == np.uint8
    assert (got.sources, got.title, got.tags, got.metadata) == ((), "", (), {})


def test_a_light_read_leaves_out_the_heavy_fields(index: Index, rng: np.random.Generator) -> None:
    put = record("heavy", rng, vector=random_vector(rng), thumbnail=b"jpeg")
    index.put([put])
    got = index.get([put.key], full=False)[put.key]
    assert (got.vector, got.thumbnail) == (None, None)


def test_only_what_is_there_is_answered(index: Index, rng: np.random.Generator) -> None:
    put = record("there", rng)
    index.put([put])
    keys = [put.key, Key("default", "not there"), Key("elsewhere", "there")]
    assert set(index.get(keys)) == set(index.known(keys)) == {put.key}


@pytest.mark.parametrize("id", HOSTILE_IDS)
def test_any_text_is_an_id(index: Index, rng: np.random.Generator, id: str) -> None:
    put = record(id, rng)
    assert statuses(index, put) == [Status.ADDED]
    index.refresh()
    assert index.get([put.key])[put.key].id == id
    assert index.keys_of(id) == [put.key]
    assert [each.id for each in index.scan()] == [id]
    assert [each.id for each in index.ask([question(look(put.bits))])[0]] == [id]
    assert index.delete([put.key]) == 1
    assert index.get([put.key]) == {}


def test_the_same_id_in_two_collections_is_two_records(index: Index, rng: np.random.Generator) -> None:
    mine, yours = record("1", rng, collection="mine"), record("1", rng, collection="yours", title="other")
    assert statuses(index, mine, yours) == [Status.ADDED, Status.ADDED]
    index.refresh()
    assert sorted(index.keys_of("1")) == [Key("mine", "1"), Key("yours", "1")]
    assert index.keys_of("1", ["yours", "nobody"]) == [Key("yours", "1")]
    index.delete([mine.key])
    assert index.get([yours.key])[yours.key].title == "other"


def test_the_same_bytes_again_change_nothing(index: Index, rng: np.random.Generator) -> None:
    put = record("1", rng, title="words", tags=("a",), metadata={"k": [1, 2]}, sources=("here",))
    assert statuses(index, put) == [Status.ADDED]
    before = index.get([put.key])[put.key]
    later = put.replaced(added_at=datetime.now(UTC) + timedelta(days=1))
    silent = later.replaced(title="", tags=(), metadata={}, sources=())
    assert statuses(index, later) == statuses(index, silent) == [Status.UNCHANGED]
    after = index.get([put.key])[put.key]
    assert (after.added_at, after.title, after.tags) == (before.added_at, "words", ("a",))


def test_a_new_source_joins_the_others(index: Index, rng: np.random.Generator) -> None:
    put = record("1", rng, sources=("first",), title="words", vector=random_vector(rng), thumbnail=b"jpeg")
    index.put([put])
    assert statuses(index, put.replaced(sources=("second",), title="")) == [Status.UPDATED]
    got = index.get([put.key])[put.key]
    assert (got.sources, got.title, got.thumbnail) == (("first", "second"), "words", b"jpeg")
    index.refresh()
    assert index.count() == 1


def test_other_bytes_replace_the_record(index: Index, rng: np.random.Generator) -> None:
    old = record("1", rng, sources=("old",), title="old", tags=("old",), metadata={"k": "old"})
    new = record("1", rng, sha256=digest("new"), sources=("new",))
    index.put([old])
    assert statuses(index, new) == [Status.UPDATED]
    index.refresh()
    got = index.get([new.key])[new.key]
    assert (got.sources, got.title, got.tags, got.metadata) == (("new",), "", (), {})
    assert index.ask([question(look(old.bits))]) == [[]]
    assert [each.id for each in index.ask([question(look(new.bits))])[0]] == ["1"]


def test_of_two_records_with_one_key_both_count(index: Index, rng: np.random.Generator) -> None:
    first = record("1", rng, sources=("a",))
    others = [first.replaced(sources=("b",)), record("2", rng), first.replaced(sources=("a",))]
    expected = [Status.ADDED, Status.UPDATED, Status.ADDED, Status.UNCHANGED]
    assert statuses(index, first, *others) == expected
    assert index.get([first.key])[first.key].sources == ("a", "b")


def test_many_records_of_one_key_in_one_call_are_one_write(
    index: Index, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes: list[int] = []
    write = index._write
    monkeypatch.setattr(index, "_write", lambda some: (writes.append(len(some)), write(some))[1])
    links = [record("1", rng, sources=("first",), title="A cat")]
    links += [links[0].replaced(sources=(f"place {number}",), title="") for number in range(300)]
    assert statuses(index, *links, record("2", rng)) == [
        Status.ADDED, *[Status.UPDATED] * 300, Status.ADDED
    ]  # fmt: skip
    assert writes == [2]
    got = index.get([links[0].key])[links[0].key]
    assert got.sources == ("first", *(f"place {number}" for number in range(300)))
    assert (got.title, got.added_at) == ("A cat", links[0].added_at)
    assert set(statuses(index, *links)) == {Status.UNCHANGED}


def test_of_other_bytes_under_one_key_in_one_call_the_last_stay(
    index: Index, rng: np.random.Generator
) -> None:
    rows = [record("1", rng, sha256=digest(str(number)), sources=(f"/{number}",)) for number in range(20)]
    rows += [rows[-1].replaced(sources=("/again",)), record("1", rng, sha256="no digest")]
    expected = [Status.ADDED, *[Status.UPDATED] * 20, Status.FAILED]
    assert statuses(index, *rows) == expected
    got = index.get([rows[0].key])[rows[0].key]
    assert (got.sha256, got.sources) == (digest("19"), ("/19", "/again"))
    index.refresh()
    assert index.count() == 1


def test_a_stale_write_is_told_so_and_changes_nothing(index: Index, rng: np.random.Generator) -> None:
    first = record("1", rng, title="first")
    index.put([first])
    stale = index.known([first.key])[first.key]
    index.put([first.replaced(title="second")])
    assert index._write([(first.replaced(title="third"), stale)]) == [None]
    assert index._write([(first.replaced(title="fourth"), None)]) == [None]
    assert index.get([first.key])[first.key].title == "second"


def test_two_writers_of_one_key_lose_nothing(place: Place, rng: np.random.Generator) -> None:
    shared = record("1", rng)
    place.create().put([shared])
    kept: list[str] = []

    def write(name: str) -> None:
        index = place.open()
        for number in range(5):
            source = f"{name}-{number}"
            (written,) = index.put([shared.replaced(sources=(source,))])
            if written.status is not Status.FAILED:  # it may tell that the other never gave way
                kept.append(source)

    writers = [Thread(target=write, args=(name,)) for name in ("left", "right")]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(place.open().get([shared.key])[shared.key].sources) == set(kept)
    assert {"left", "right"} == {source.split("-")[0] for source in kept}


def test_delete_tells_how_many_there_were(index: Index, rng: np.random.Generator) -> None:
    records = [record(str(number), rng, title="words", tags=("t",)) for number in range(5)]
    index.put(records)
    gone = [records[0].key, records[3].key, Key("default", "never there")]
    assert index.delete(gone) == 2
    assert index.delete(gone) == 0
    assert index.delete([]) == 0
    index.refresh()
    assert index.count() == 3
    assert [each.id for each in index.scan()] == ["1", "2", "4"]
    assert statuses(index, records[0]) == [Status.ADDED]
