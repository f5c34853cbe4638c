"""Making, opening, refusing, removing an index."""

from __future__ import annotations

import numpy as np
import pytest

from facsimile.search.errors import IndexAlreadyExists, IndexMismatch, IndexNotFound
from facsimile.search.index.base import Signatures
from tests.conformance.conftest import Place
from tests.support.records import SIGNATURES, look, question, random_vector, record


def test_an_index_that_is_not_there_is_missing(place: Place) -> None:
    with pytest.raises(IndexNotFound, match=r"no index"):
        place.open()


def test_a_second_index_of_the_name_is_refused(place: Place, rng: np.random.Generator) -> None:
    first = place.create()
    first.put([record("1", rng)])
    with pytest.raises(IndexAlreadyExists):
        place.create()
    first.refresh()
    assert first.count() == 1


@pytest.mark.parametrize(
    "other",
    [
        Signatures(hash="test-2", model="test", dims=64),
        Signatures(hash="test-1", model="other", dims=64),
        Signatures(hash="test-1"),
    ],
)
def test_other_signatures_are_refused_and_told_what_to_do(place: Place, other: Signatures) -> None:
    place.create()
    with pytest.raises(IndexMismatch, match="facsimile index reindex --model"):
        place.open(other)
    assert place.open(None).signatures == SIGNATURES


def test_an_index_keeps_its_records_when_it_is_closed(place: Place, rng: np.random.Generator) -> None:
    put = record("1", rng, vector=random_vector(rng))
    with place.create() as index:
        index.put([put])
        index.refresh()
    again = place.open()
    assert [each.id for each in again.ask([question(look(put.bits))])[0]] == ["1"]
    assert again.count() == 1


def test_an_index_of_hashes_alone(place: Place, rng: np.random.Generator) -> None:
    index = place.create(Signatures(hash="test-1"))
    put = record("1", rng)
    plain, with_vector = index.put([put, record("2", rng, vector=random_vector(rng))])
    index.refresh()
    assert (plain.status, with_vector.status) == ("added", "failed")
    assert "no vectors" in with_vector.reason
    assert [each.id for each in index.ask([question(look(put.bits))])[0]] == ["1"]


def test_info_tells_what_there_is(place: Place, rng: np.random.Generator) -> None:
    index = place.create()
    index.put([record("1", rng), record("2", rng, collection="other")])
    index.refresh()
    info = index.info()
    assert (info.count, info.collections) == (2, {"default": 1, "other": 1})
    assert (info.signatures, info.location, info.healthy) == (SIGNATURES, place.location, True)
    assert info.bytes > 0 and info.layout >= 1 and info.kind and info.physical


def test_closing_twice_does_nothing(place: Place) -> None:
    index = place.create()
    index.close()
    index.close()


def test_a_removed_index_is_missing_and_can_be_made_anew(place: Place, rng: np.random.Generator) -> None:
    first = place.create()
    first.put([record("1", rng)])
    first.destroy()
    with pytest.raises(IndexNotFound):
        place.open()
    assert place.create().count() == 0
