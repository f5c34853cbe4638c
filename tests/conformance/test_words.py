"""Questions in words, and questions by digest."""

from __future__ import annotations

import numpy as np
import pytest

from facsimile.search.index.base import Index
from facsimile.search.query import Filter
from tests.support.records import digest, filled, ids, look, question, random_vector, record


@pytest.fixture
def library(index: Index, rng: np.random.Generator) -> Index:
    return filled(
        index,
        record("1", rng, title="A black cat sleeps", tags=("animal",)),
        record("2", rng, title="The cat, the cat", collection="other"),
        record("3", rng, title="A red car", tags=("vehicle", "very fast")),
        record("4", rng),
        record("5", rng, title="and or not near title"),
    )


def test_any_word_of_title_or_tags_suffices(library: Index) -> None:
    assert [each.id for each in library.ask_words("CAT", 10, Filter())] == ["2", "1"]
    assert ids(library.ask_words("cat vehicle", 10, Filter())) == {"1", "2", "3"}
    assert ids(library.ask_words("fast", 10, Filter())) == {"3"}
    assert ids(library.ask_words("cat", 10, Filter(collections=("other",)))) == {"2"}
    assert len(library.ask_words("cat", 1, Filter())) == 1
    assert library.ask_words("zebra", 10, Filter()) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ('title:* OR "', {"5"}),
        ("AND NOT (", {"5"}),
        ("NEAR(cat, 3)", {"1", "2", "5"}),
        ('"', set()),
        ("* ^ - + ( ) { } [ ]", set()),
        ("cat*", {"1", "2"}),
        ("-cat", {"1", "2"}),
        ("ca*", set()),
        ("title: zebra", {"5"}),
        ("'; DROP TABLE words; --", set()),
        ("", set()),
        (" \n\t", set()),
        ("cat " * 5000, {"1", "2"}),
        ("\0 cat", {"1", "2"}),
    ],
)
def test_words_are_text_and_never_syntax(library: Index, words: str, expected: set[str]) -> None:
    assert ids(library.ask_words(words, 10, Filter())) == expected


def test_records_are_found_by_the_digest_of_bytes_or_pixels(index: Index, rng: np.random.Generator) -> None:
    same = digest("the same pixels")
    filled(
        index,
        record("1", rng, pixels=same),
        record("2", rng, pixels=same, collection="other"),
        record("3", rng, sha256=same),
        record("4", rng),
    )
    unknown = digest("unknown")
    found = index.ask_bytes([same, digest("bytes of 4"), unknown], Filter())
    assert ids(found[same]) == {"1", "2", "3"}
    assert ids(found[digest("bytes of 4")]) == {"4"}
    assert not found.get(unknown)
    limited = index.ask_bytes([same], Filter(collections=("other",)))
    assert ids(limited[same]) == {"2"}


def test_records_with_a_digest_of_the_question_are_candidates(index: Index, rng: np.random.Generator) -> None:
    far = record("far", rng, collection="a", vector=random_vector(rng))
    filled(index, far, far.replaced(collection="b"), *(record(str(n), rng) for n in range(5)))
    for digest_ in (far.sha256, far.pixels):
        (found,) = index.ask([question(digests=(digest_, digest("unknown")))])
        assert sorted(each.key for each in found) == [("a", "far"), ("b", "far")]
    (found,) = index.ask(
        [question(digests=(far.sha256,), vector=far.vector, nearest=0, filter=Filter(collections=("b",)))]
    )
    assert [each.key for each in found] == [("b", "far")]
    assert found[0].vector is not None


def test_an_optimized_index_answers_as_before(index: Index, rng: np.random.Generator) -> None:
    records = [record(str(n), rng) for n in range(5)]
    for each in records:
        filled(index, each)
    before, after = index.optimize()
    assert before >= after >= 1
    assert ids(index.ask([question(look(records[2].bits), radius=0)])[0]) == {"2"}
