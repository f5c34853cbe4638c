"""Questions: by hash, by vector, by words, by digest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from facsimile.imaging.bands import neighbours, terms
from facsimile.imaging.distance import hamming
from facsimile.imaging.record import ImageRecord
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index
from facsimile.search.query import Filter, IndexQuery
from tests.conformance.conftest import Place
from tests.support.records import (
    SIGNATURES,
    digest,
    filled,
    flipped,
    ids,
    look,
    only,
    question,
    random_bits,
    random_panels,
    random_vector,
    record,
)

#: bits that a planted copy keeps, so that a band of 16 is shared at any distance
BAND = 16


def test_an_empty_index_answers_with_nothing(index: Index, rng: np.random.Generator) -> None:
    bits, vector = random_bits(rng), random_vector(rng)
    assert index.ask([question(look(bits)), question(look(bits), vector=vector, nearest=5)]) == [[], []]
    assert index.ask([]) == []
    assert index.ask_words("cat", 10, Filter()) == []
    assert not any(index.ask_bytes([digest("x")], Filter()).values())


def test_copies_are_found_up_to_the_radius_and_not_beyond(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)
    copies = [record(str(far), rng, bits=flipped(query, far, rng, keep=BAND)) for far in range(0, 120, 3)]
    filled(index, *copies, *(record(f"other {n}", rng) for n in range(100)))
    for radius in (0, 1, 31, 48, 90):
        (found,) = index.ask([question(look(query, terms=terms(query)), radius=radius, limit=200)])
        assert ids(found) == {str(far) for far in range(0, radius + 1, 3)}


def test_candidates_carry_their_record_without_the_thumbnail(index: Index, rng: np.random.Generator) -> None:
    put = record("1", rng, title="words", tags=("a", "b"), metadata={"k": 1}, sources=("s",),
                 bits_trimmed=random_bits(rng), panels=random_panels(rng, 3), vector=random_vector(rng),
                 thumbnail=b"jpeg")  # fmt: skip
    filled(index, put)
    ((plain,),) = index.ask([question(look(put.bits))])
    assert (plain.key, plain.title, plain.tags, plain.metadata) == (put.key, "words", ("a", "b"), {"k": 1})
    assert (plain.sources, plain.thumbnail, plain.sha256) == (("s",), None, put.sha256)
    assert np.array_equal(plain.bits, put.bits)
    assert plain.bits_trimmed is not None and np.array_equal(plain.bits_trimmed, put.bits_trimmed)
    assert np.array_equal(plain.panels, put.panels)
    ((rich,),) = index.ask([question(look(put.bits), vector=random_vector(rng), nearest=0)])
    assert rich.vector is not None
    np.testing.assert_allclose(rich.vector, put.vector, atol=4e-3)


@pytest.mark.parametrize("asked", ["whole", "trimmed"])
def test_whole_and_trimmed_are_compared_crosswise(index: Index, rng: np.random.Generator, asked: str) -> None:
    bordered = record("bordered", rng, bits_trimmed=random_bits(rng))
    filled(index, bordered, *(record(str(n), rng, bits_trimmed=random_bits(rng)) for n in range(50)))
    bits = bordered.bits if asked == "whole" else bordered.bits_trimmed
    assert bits is not None
    (found,) = index.ask([question(look(flipped(bits, 20, rng, keep=BAND)), radius=40)])
    assert ids(found) == {"bordered"}


def test_any_variant_suffices_and_a_record_comes_once(index: Index, rng: np.random.Generator) -> None:
    turned, mirrored = random_bits(rng), random_bits(rng)
    filled(
        index,
        record("turned", rng, bits=flipped(turned, 5, rng)),
        record("mirrored", rng, bits=flipped(mirrored, 5, rng)),
        record("both", rng, bits=turned, bits_trimmed=mirrored),
        *(record(str(n), rng) for n in range(30)),
    )
    (found,) = index.ask([question(look(random_bits(rng)), look(turned), look(mirrored), radius=31)])
    assert sorted(each.id for each in found) == ["both", "mirrored", "turned"]


def test_blank_pictures_are_no_candidates_by_hash(index: Index, rng: np.random.Generator) -> None:
    bits, vector = random_bits(rng), random_vector(rng)
    filled(index, record("blank", rng, bits=bits, bits_trimmed=bits, quality=0, vector=vector))
    assert index.ask([question(look(bits))]) == [[]]
    filled(index, record("faint", rng, bits=bits, quality=1))
    assert ids(index.ask([question(look(bits))])[0]) == {"faint"}


def test_the_nearest_come_when_there_are_more_than_wanted(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)
    filled(index, *(record(str(far), rng, bits=flipped(query, far, rng, keep=BAND)) for far in range(60)))
    (found,) = index.ask([question(look(query), radius=90, limit=10)])
    assert ids(found) >= {str(far) for far in range(10)}


def test_the_filter_is_applied_before_the_limit(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)
    near = [record(f"near {n}", rng, bits=flipped(query, 1, rng, keep=BAND)) for n in range(150)]
    far = [
        record(f"far {n}", rng, collection="wanted", tags=("t",), bits=flipped(query, 60, rng, keep=BAND))
        for n in range(3)
    ]
    filled(index, *near, *far)
    for filter in (Filter(collections=("wanted",)), only(tags="t"), Filter(("wanted",), {"tags": ("t",)})):
        (found,) = index.ask([question(look(query), limit=2, filter=filter)])
        assert ids(found) <= {"far 0", "far 1", "far 2"} and len(found) >= 2
    assert index.ask([question(look(query), filter=Filter(collections=("nobody",)))]) == [[]]


def test_deleted_and_replaced_pictures_are_no_candidates(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)
    copies = [record(str(n), rng, bits=flipped(query, n, rng, keep=BAND)) for n in range(100)]
    filled(index, *copies)
    index.delete([each.key for each in copies[:80]])
    index.put([copies[80].replaced(bits=random_bits(rng), sha256=digest("other"))])
    index.refresh()
    (found,) = index.ask([question(look(query), radius=99, limit=5)])
    assert ids(found) >= {"81", "82", "83", "84", "85"} and not ids(found) & set(map(str, range(81)))


def test_many_questions_in_one_call_are_answered_as_one_by_one(
    index: Index, rng: np.random.Generator
) -> None:
    records = [
        record(str(n), rng, collection=f"c{n % 3}", vector=random_vector(rng) if n % 2 else None)
        for n in range(60)
    ]
    filled(index, *records)
    questions: list[IndexQuery] = []
    for n in range(40):
        bits = flipped(records[n].bits, 12, rng, keep=BAND)
        filter = Filter(collections=("c1",)) if n % 4 == 0 else Filter()
        by_vector = {"vector": random_vector(rng), "nearest": 3} if n % 5 == 0 else {}
        questions.append(question(look(bits), radius=40 + n % 3, limit=5, filter=filter, **by_vector))
    together = index.ask(questions)
    assert [ids(each) for each in together] == [ids(index.ask([each])[0]) for each in questions]
    assert ids(together[1]) == {"1"}


def test_every_pair_within_31_is_found_with_neighbours(index: Index, rng: np.random.Generator) -> None:
    queries = [random_bits(rng) for _ in range(150)]
    distances = rng.integers(0, 32, len(queries))
    distances[:30] = 31
    filled(index, *(record(str(n), rng, bits=flipped(query, int(far), rng))
                    for n, (query, far) in enumerate(zip(queries, distances, strict=True))))  # fmt: skip
    asked = [question(look(query, terms=neighbours(query)), radius=31, limit=10) for query in queries]
    assert [ids(found) for found in index.ask(asked)] == [{str(n)} for n in range(len(queries))]


def test_the_worst_spread_of_31_bits_is_found_with_neighbours(index: Index, rng: np.random.Generator) -> None:
    """Two bits in each band but one, which has a single one: no band is equal."""
    query = random_bits(rng)
    mask = np.zeros((16, 16), np.uint8)
    mask[:, [3, 11]] = 1
    mask[7, 3] = 0
    filled(index, record("worst", rng, bits=query ^ np.packbits(mask.ravel())))
    assert ids(index.ask([question(look(query), radius=31)])[0]) == {"worst"}


def test_panels_are_found_by_those_who_ask_for_them(index: Index, rng: np.random.Generator) -> None:
    pages = [record(f"page {n}", rng, panels=random_panels(rng, n)) for n in range(13)]
    filled(index, *pages, *(record(str(n), rng) for n in range(50)))
    for each in pages:
        for panel in each.panels:
            for bits in (panel, flipped(panel, 31, rng)):
                (found,) = index.ask([question(look(bits, panels=True), radius=31)])
                assert ids(found) == {each.id} and np.array_equal(found[0].panels, each.panels)
            assert index.ask([question(look(panel), radius=31)]) == [[]]
        (own,) = index.ask([question(look(each.bits, panels=True), radius=31)])
        assert ids(own) == {each.id}


def test_the_nearest_panels_come_and_a_page_counts_once(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)
    pages = [
        record(
            str(far), rng, panels=np.stack([flipped(query, far + more, rng, keep=BAND) for more in range(12)])
        )
        for far in range(0, 60, 2)
    ]
    blank = record("blank", rng, panels=query[None], quality=0)
    whole = record("whole", rng, bits=flipped(query, 70, rng, keep=BAND))
    filled(index, *pages, blank, whole)
    (found,) = index.ask([question(look(query, panels=True), limit=10)])
    assert ids(found) >= {*map(str, range(0, 20, 2)), "whole"} and "blank" not in ids(found)
    assert len(ids(found)) == len(found)
    for radius in (9, 20, 41):
        (found,) = index.ask([question(look(query, panels=True), radius=radius, limit=99)])
        assert ids(found) == {str(far) for far in range(0, radius + 1, 2)}


def test_panels_under_a_filter(index: Index, rng: np.random.Generator) -> None:
    query = random_bits(rng)

    def pages(kind: str, number: int, far: int, **fields: Any) -> list[ImageRecord]:
        panels = [flipped(query, far, rng, keep=BAND)[None] for _ in range(number)]
        return [record(f"{kind} {n}", rng, panels=each, **fields) for n, each in enumerate(panels)]

    wanted = pages("far", 3, 60, collection="wanted", tags=("t",), metadata={"k": "v"})
    filled(index, *pages("near", 100, 1), *wanted)
    for filter in (Filter(collections=("wanted",)), only(tags="t"), Filter(("wanted",), {"k": ("v",)})):
        (found,) = index.ask([question(look(query, panels=True), limit=3, filter=filter)])
        assert ids(found) == {"far 0", "far 1", "far 2"}
    assert index.ask([question(look(query, panels=True), filter=only(tags="none"))]) == [[]]


def test_panels_of_deleted_and_replaced_pages_are_gone(index: Index, rng: np.random.Generator) -> None:
    gone, changed, kept = (record(name, rng, panels=random_panels(rng, 4)) for name in ("a", "b", "c"))
    filled(index, gone, changed, kept)
    index.delete([gone.key])
    after = changed.replaced(panels=random_panels(rng, 2), sha256=digest("other"))
    index.put([after])
    index.refresh()
    assert index.count() == 2 and sum(index.collections().values()) == 2
    for panel in [*gone.panels, *changed.panels]:
        assert index.ask([question(look(panel, panels=True), radius=31)]) == [[]]
    for each in (after, kept):
        for panel in each.panels:
            assert ids(index.ask([question(look(panel, panels=True), radius=31)])[0]) == {each.id}


def test_the_nearest_by_vector(index: Index, rng: np.random.Generator) -> None:
    records = [record(str(n), rng, vector=random_vector(rng)) for n in range(40)]
    filled(index, *records, record("no vector", rng))
    query = random_vector(rng)
    cosines = {each.id: float(each.vector @ query) for each in records if each.vector is not None}
    best = sorted(cosines, key=lambda id: -cosines[id])
    (found,) = index.ask([IndexQuery((), 0, 0, vector=query, nearest=5)])
    assert ids(found) == set(best[:5])
    assert all(each.vector is not None for each in found)
    (everything,) = index.ask([IndexQuery((), 0, 0, vector=query, nearest=100)])
    assert ids(everything) == set(best)


def test_the_nearest_by_vector_under_a_filter(index: Index, rng: np.random.Generator) -> None:
    records = [
        record(str(n), rng, vector=random_vector(rng), collection="rare" if n % 40 == 0 else "common")
        for n in range(200)
    ]
    filled(index, *records)
    rare = Filter(collections=("rare",))
    (found,) = index.ask([IndexQuery((), 0, 0, filter=rare, vector=random_vector(rng), nearest=5)])
    assert ids(found) == {"0", "40", "80", "120", "160"}


def test_hash_and_vector_join_their_candidates(index: Index, rng: np.random.Generator) -> None:
    by_hash, by_vector = record("hash", rng), record("vector", rng, vector=random_vector(rng))
    filled(index, by_hash, by_vector, *(record(str(n), rng, vector=random_vector(rng)) for n in range(40)))
    (found,) = index.ask([question(look(by_hash.bits), radius=31, vector=by_vector.vector, nearest=1)])
    assert ids(found) == {"hash", "vector"}


def test_a_vector_of_another_length_is_refused(index: Index) -> None:
    with pytest.raises(InvalidRequest, match="dimensions"):
        index.ask([IndexQuery((), 0, 0, vector=np.ones(3, np.float32), nearest=1)])


@pytest.mark.service
def test_both_indices_give_the_same_candidates(place_of: Callable[[str], Place]) -> None:
    """With all neighbours asked and a radius that their promise covers, nothing may differ."""
    answers: list[list[set[str]]] = []
    for kind in ("embedded", "elastic"):
        rng = np.random.default_rng(7)
        centres = [random_bits(rng) for _ in range(20)]
        records = [
            record(str(n), rng, collection=f"c{n % 2}", metadata={"n": n % 3},
                   bits=flipped(centres[n % 20], n % 40, rng),
                   bits_trimmed=flipped(centres[(n + 1) % 20], n % 30, rng) if n % 3 == 0 else None,
                   panels=np.stack([flipped(centres[(n + k) % 20], n % 35, rng) for k in range(2, 2 + n % 7)]
                                   or [random_bits(rng)]))
            for n in range(300)
        ]  # fmt: skip
        index = filled(place_of(kind).create(SIGNATURES), *records)
        filters = [Filter(), Filter(collections=("c1",)), only(n="2")]
        questions = [
            question(look(centre, panels=place % 2 == 0), look(flipped(centre, 10, rng)),
                     radius=31, limit=300, filter=filter)
            for place, centre in enumerate(centres)
            for filter in filters
        ]  # fmt: skip
        answers.append([ids(found) for found in index.ask(questions)])
        bits = {each.id: [b for b in (each.bits, each.bits_trimmed) if b is not None] for each in records}
        panels = {each.id: list(each.panels) for each in records}
        for asked, found in zip(questions, answers[-1], strict=True):
            least = {
                id: min(
                    int(hamming(variant.bits, b))
                    for variant in asked.variants
                    for b in bits[id] + panels[id] * variant.panels
                )
                for id in found
            }
            assert all(distance <= asked.radius for distance in least.values())
    assert answers[0] == answers[1]
    assert sum(map(len, answers[0])) > 500
