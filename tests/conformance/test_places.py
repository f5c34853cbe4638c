"""The places of records: they come, they are lost, they come back, and are looked up by how they begin."""

from __future__ import annotations

from threading import Thread

import numpy as np

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.index.base import Index, Status
from facsimile.search.query import Filter
from tests.conformance.conftest import Place
from tests.support.records import digest, filled, ids, look, question, random_panels, record, statuses


def stored(index: Index, key: Key) -> ImageRecord:
    return index.get([key])[key]


def test_a_place_that_is_gone_is_kept_as_such_and_comes_back(index: Index, rng: np.random.Generator) -> None:
    put = record(
        *("1", rng),
        sources=("/a", "/b"),
        title="A cat",
        thumbnail=b"jpeg",
        panels=random_panels(rng, 2),
    )
    index.put([put])
    assert index.mark_gone({put.key: {"/a", "/never there"}}) == []
    got = stored(index, put.key)
    assert (got.sources, got.gone, got.is_gone) == (("/b",), ("/a",), False)
    assert (got.title, got.thumbnail, got.added_at) == ("A cat", b"jpeg", put.added_at)
    assert np.array_equal(got.bits, put.bits) and np.array_equal(got.panels, put.panels)
    assert index.mark_gone({put.key: {"/b"}}) == [put.key]
    got = stored(index, put.key)
    assert (got.sources, got.gone, got.is_gone, got.place) == ((), ("/a", "/b"), True, "/a (gone)")
    assert statuses(index, put.replaced(sources=("/b",))) == [Status.UPDATED]
    assert statuses(index, put.replaced(sources=("/b",))) == [Status.UNCHANGED]
    got = stored(index, put.key)
    assert (got.sources, got.gone, got.place) == (("/b",), ("/a",), "/b")
    index.refresh()
    assert ids(index.ask([question(look(put.bits))])[0]) == {"1"}


def test_a_record_that_never_had_a_place_is_not_gone(index: Index, rng: np.random.Generator) -> None:
    put = record("1", rng)
    index.put([put])
    assert index.mark_gone({put.key: {"/a"}, Key("default", "never there"): {"/a"}}) == []
    assert (stored(index, put.key).gone, stored(index, put.key).is_gone) == ((), False)


def test_other_bytes_under_the_same_key_begin_with_places_of_their_own(
    index: Index, rng: np.random.Generator
) -> None:
    old = record("1", rng, sources=("/a", "/b"))
    index.put([old])
    index.mark_gone({old.key: {"/a"}})
    index.put([record("1", rng, sha256=digest("other"), sources=("/a",))])
    assert (stored(index, old.key).sources, stored(index, old.key).gone) == (("/a",), ())


def test_records_are_looked_up_by_what_a_place_begins_with(index: Index, rng: np.random.Generator) -> None:
    places = {
        "in": ("/photos/a.jpg",),
        "deep": ("/elsewhere.jpg", "/photos/deep/b c*.jpg"),
        "beside": ("/photos2/a.jpg",),
        "name": ("/photos",),
        "last": ("/photos/\U0010fffd.jpg",),
        "web": ("https://example.org/photos/a.jpg",),
        "none": (),
    }
    filled(index, *(record(id, rng, sources=sources) for id, sources in places.items()))
    filled(index, record("other", rng, collection="other", sources=("/photos/a.jpg",)))
    index.mark_gone({Key("default", "in"): {"/photos/a.jpg"}})
    index.refresh()
    under = Filter(("default",), under="/photos/")
    assert ids(list(index.scan(under))) == {"in", "deep", "last"}
    assert index.count(under) == 3
    assert index.count(Filter(under="/photos/")) == 4
    assert ids(list(index.scan(Filter(terms={"source": ("/photos/a.jpg",)})))) == {"other"}
    assert index.delete_where(under) == 3


def test_of_writers_that_take_and_give_places_none_is_lost(place: Place, rng: np.random.Generator) -> None:
    shared = record("1", rng, sources=tuple(f"/old/{number}" for number in range(5)))
    place.create().put([shared])

    def give() -> None:
        index = place.open()
        for number in range(5):
            assert statuses(index, shared.replaced(sources=(f"/new/{number}",))) == [Status.UPDATED]

    def take() -> None:
        index = place.open()
        for number in range(5):
            assert index.mark_gone({shared.key: {f"/old/{number}"}}) in ([], [shared.key])

    writers = [Thread(target=give), Thread(target=take)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    got = stored(place.open(), shared.key)
    assert set(got.sources) == {f"/new/{number}" for number in range(5)}
    assert set(got.gone) == {f"/old/{number}" for number in range(5)}
