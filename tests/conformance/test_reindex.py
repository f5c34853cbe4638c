"""An index built anew with other signatures: served all the while, nothing lost, continued after a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facsimile.imaging.record import ImageRecord
from facsimile.search.errors import IndexMismatch, IndexNotFound, InvalidRequest
from facsimile.search.index.base import Index, Signatures
from facsimile.search.index.opening import rebuild_index, stored_signatures
from facsimile.search.query import IndexQuery
from tests.conformance.conftest import Place
from tests.support.records import (
    SIGNATURES,
    digest,
    filled,
    ids,
    look,
    question,
    random_panels,
    random_vector,
    record,
)

ROOT = Path(__file__).parents[2]

HASHES = Signatures(hash="test-1")
OTHER = Signatures(hash="test-2", model="better", dims=8)

#: enough for several pages of each index
MANY = 1100


def direction(record: ImageRecord) -> np.ndarray:
    """A vector of 8 dimensions that is told by the picture."""
    vector = np.random.default_rng(int(record.sha256[:8], 16)).normal(size=8).astype(np.float32)
    return vector / np.linalg.norm(vector)


def better(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    """The records with signatures of `OTHER`."""
    return [
        each.replaced(
            vector=direction(each),
            bits=~each.bits,
            bits_trimmed=None,
            panels=~each.bits[None] ^ 1,
            quality=50,
            pixels=digest(f"new {each.id}"),
        )
        for each in records
    ]


def hashes_alone(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    return [each.replaced(vector=None) for each in records]


def nearest(index: Index, vector: np.ndarray) -> list[str]:
    (found,) = index.ask([IndexQuery((), 0, 0, vector=vector, nearest=1)])
    return [each.id for each in found]


def by_hash(index: Index, bits: np.ndarray) -> set[str]:
    return ids(index.ask([question(look(bits), radius=10)])[0])


@pytest.fixture
def records(rng: np.random.Generator) -> list[ImageRecord]:
    return [
        record(f"{n:04}", rng, panels=random_panels(rng, n % 4), vector=random_vector(rng), thumbnail=b"jpeg",
               tags=("tag",), title=f"No {n}")
        for n in range(60)
    ]  # fmt: skip


def test_records_get_their_new_signatures_and_keep_the_rest(place: Place, records: list[ImageRecord]) -> None:
    filled(place.create(), *records)
    heard: list[tuple[int, int]] = []
    with rebuild_index(
        place.location,
        signatures=OTHER,
        transform=better,
        progress=lambda done, total: heard.append((done, total)),
    ) as index:
        assert index.signatures == stored_signatures(place.location) == OTHER
        assert heard[-1] == (60, 60)
        old = records[7]
        assert nearest(index, direction(old)) == ["0007"]
        assert (by_hash(index, ~old.bits), by_hash(index, old.bits)) == ({"0007"}, set())
        new = index.get([old.key])[old.key]
        assert ids(index.ask([question(look(~old.bits ^ np.uint8(1), panels=True), radius=0)])[0]) == {"0007"}
        assert (new.pixels, new.quality) == (digest("new 0007"), 50)
        assert (new.thumbnail, new.title, new.tags, new.added_at) == (b"jpeg", "No 7", ("tag",), old.added_at)
        assert len(index.ask_bytes([digest("new 0007")], question().filter)[digest("new 0007")]) == 1
        assert index.put([old.replaced(vector=direction(old), title="said since")])[0].status == "updated"
    assert place.open(OTHER).count() == 60


def test_from_hashes_alone_to_vectors_and_back(place: Place, records: list[ImageRecord]) -> None:
    filled(place.create(HASHES), *hashes_alone(records))
    model = Signatures(hash="test-1", model="better", dims=8)
    with rebuild_index(
        place.location,
        signatures=model,
        transform=lambda some: [each.replaced(vector=direction(each)) for each in some],
    ) as index:
        assert nearest(index, direction(records[3])) == ["0003"]
        assert by_hash(index, records[3].bits) == {"0003"}
    with rebuild_index(place.location, signatures=HASHES, transform=hashes_alone) as index:
        assert index.signatures == HASHES
        assert by_hash(index, records[3].bits) == {"0003"}
        assert index.get([records[3].key])[records[3].key].vector is None


def test_other_signatures_need_the_means_to_compute_them(place: Place, records: list[ImageRecord]) -> None:
    index = filled(place.create(), *records)
    with pytest.raises(InvalidRequest, match="means to compute"):
        rebuild_index(place.location, signatures=OTHER)
    assert index.count() == 60


def test_programs_that_still_compute_the_old_ones_are_cut_off(
    place: Place, records: list[ImageRecord], rng: np.random.Generator
) -> None:
    old = filled(place.create(), *records)
    rebuild_index(place.location, signatures=OTHER, transform=better).close()
    for use in (
        lambda: old.ask([question(look(records[0].bits), vector=records[0].vector, nearest=3)]),
        lambda: old.put([record("new", rng, vector=random_vector(rng))]),
        lambda: old.get([records[0].key]),
        old.count,
    ):
        with pytest.raises(
            (IndexMismatch, IndexNotFound), match=r"re-indexed .*start (it|this program) anew"
        ):
            use()


def test_searches_and_writes_go_on_all_the_while(
    place: Place, records: list[ImageRecord], rng: np.random.Generator
) -> None:
    index = filled(place.create(), *records)
    moved = threading.Event()
    searched = 0
    wrong: list[set[str]] = []

    def search() -> None:
        nonlocal searched
        while True:
            try:
                asked = question(look(records[5].bits), radius=10, vector=records[5].vector, nearest=1)
                found = ids(index.ask([asked])[0])
            except (IndexMismatch, IndexNotFound):
                moved.set()
                return
            searched += 1
            if found != {"0005"}:
                wrong.append(found)

    late = record("late", rng, vector=random_vector(rng))
    calls = 0

    def meddling(some: Sequence[ImageRecord]) -> list[ImageRecord]:
        nonlocal calls
        calls += 1
        if calls == 1:
            index.put([late, records[3].replaced(sha256=digest("other bytes"))])
            index.delete([records[0].key])
            before = searched
            while searched < before + 3:
                assert not moved.is_set()
        return better(some)

    searching = threading.Thread(target=search)
    searching.start()
    with rebuild_index(place.location, signatures=OTHER, transform=meddling) as again:
        searching.join()
        again.refresh()
        assert {each.id for each in again.scan()} == {each.id for each in records} - {"0000"} | {"late"}
        assert nearest(again, direction(late)) == ["late"]
        changed = again.get([records[3].key])[records[3].key]
        assert changed.sha256 == digest("other bytes")
        np.testing.assert_allclose(changed.vector, direction(changed), atol=1e-3)
    assert wrong == []


# describes two pages, and dies at the beginning of the third
DYING = """
import os, signal, sys
from facsimile.search.index.opening import rebuild_index
from tests.conformance.test_reindex import OTHER, better
calls, described = 0, 0
def dying(records):
    global calls, described
    calls += 1
    if calls == 3:
        print(described, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
    described += len(records)
    return better(records)
rebuild_index(sys.argv[1], signatures=OTHER, transform=dying)
"""


@pytest.fixture
def half_built(place: Place, rng: np.random.Generator) -> tuple[Index, int]:
    """An index whose rebuild was killed, and how many records had their new signatures by then."""
    many = (
        record(f"{n:04}", rng, panels=random_panels(rng, n % 4), vector=random_vector(rng))
        for n in range(MANY)
    )
    index = filled(place.create(), *many)
    died = subprocess.run(
        [sys.executable, "-c", DYING, place.location], cwd=ROOT, stdout=subprocess.PIPE, check=False
    )
    assert died.returncode == -signal.SIGKILL
    described = int(died.stdout)
    assert 0 < described < MANY
    return index, described


@pytest.mark.slow
def test_a_killed_rebuild_changes_nothing_and_the_next_continues(
    place: Place, half_built: tuple[Index, int], rng: np.random.Generator
) -> None:
    index, described = half_built
    first, second = (each for each in index.page(question().filter, cursor=None, limit=2).records)
    assert by_hash(index, second.bits) == {second.id}
    index.put([first.replaced(sha256=digest("other bytes"), vector=random_vector(rng))])
    index.refresh()
    again: list[str] = []

    def counting(some: Sequence[ImageRecord]) -> list[ImageRecord]:
        again.extend(each.id for each in some)
        return better(some)

    with rebuild_index(place.location, signatures=OTHER, transform=counting) as rebuilt:
        assert sorted(again) == sorted({*again}), "no record is described twice"
        assert len(again) == MANY - described + (first.id in again)
        assert first.id in again, "what changed meanwhile is described anew"
        assert rebuilt.count() == MANY
        assert nearest(rebuilt, direction(second)) == [second.id]
        changed = rebuilt.get([first.key])[first.key]
        np.testing.assert_allclose(changed.vector, direction(changed), atol=1e-3)


@pytest.mark.slow
def test_what_was_begun_for_other_signatures_is_thrown_away(
    place: Place, half_built: tuple[Index, int]
) -> None:
    best = Signatures(hash="test-2", model="best", dims=8)
    described: list[str] = []

    def best_of(some: Sequence[ImageRecord]) -> list[ImageRecord]:
        described.extend(each.id for each in some)
        return better(some)

    with rebuild_index(place.location, signatures=best, transform=best_of) as index:
        assert len(described) == MANY == index.count()
        assert index.signatures == best


def test_a_failed_rebuild_leaves_the_index_as_it_was(place: Place, records: list[ImageRecord]) -> None:
    index = filled(place.create(), *records)

    def failing(_: Sequence[ImageRecord]) -> list[ImageRecord]:
        raise InvalidRequest("the model fails")

    with pytest.raises(InvalidRequest, match="the model fails"):
        rebuild_index(place.location, signatures=OTHER, transform=failing)
    assert by_hash(index, records[5].bits) == {"0005"}
    assert index.put([records[5].replaced(title="changed")])[0].status == "updated"
    assert place.open().signatures == SIGNATURES
