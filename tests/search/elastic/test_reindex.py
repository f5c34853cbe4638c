"""Building an index anew beside itself while it is read and written."""

import threading
from collections.abc import Sequence

import elasticsearch
import numpy as np
import pytest

from facsimile.imaging.record import ImageRecord
from facsimile.search.errors import IndexMismatch, IndexNotFound, IndexReadOnly, InvalidRequest, StoreError
from facsimile.search.index.base import Signatures, Status
from facsimile.search.index.elastic.documents import document, document_id
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.elastic.mapping import mappings
from facsimile.search.index.elastic.options import ElasticOptions
from tests.support.records import look, question, random_bits, random_panels, random_vector, record

SIGNATURES = Signatures("test-1", "test", 64)
OTHER = Signatures("test-1", "better", 64)


def filled(
    location: str, rng: np.random.Generator, count: int = 1200
) -> tuple[ElasticIndex, list[ImageRecord]]:
    index = ElasticIndex.create(location, SIGNATURES, ElasticOptions(shards=2))
    records = [
        record(str(n), rng, vector=random_vector(rng), bits_trimmed=random_bits(rng), thumbnail=b"jpeg")
        for n in range(count)
    ]
    index.put(records)
    index.refresh()
    return index, records


def physical_indices(raw: elasticsearch.Elasticsearch, location: str) -> list[str]:
    return sorted(raw.indices.get(index=location.rpartition("/")[2] + "*").body)


def test_everything_is_copied_and_a_program_that_has_it_open_goes_on(location: str, raw, rng):
    index, records = filled(location, rng)
    heard: list[tuple[int, int]] = []
    again = ElasticIndex.reindex(location, progress=lambda done, total: heard.append((done, total)))
    assert again.info().physical.endswith("-v2")
    assert physical_indices(raw, location) == [again.info().physical]
    assert heard[-1] == (1200, 1200)
    assert again.count() == 1200
    for each in (index, again):
        got = each.get([records[7].key])[records[7].key]
        np.testing.assert_array_equal(got.vector, records[7].vector)
        np.testing.assert_array_equal(got.bits_trimmed, records[7].bits_trimmed)
        assert (got.thumbnail, got.added_at) == (b"jpeg", records[7].added_at)
        assert [found.id for found in each.ask([question(look(records[7].bits))])[0]] == ["7"]
    assert index.put([record("new", rng)])[0].status == Status.ADDED


def test_what_is_written_and_deleted_meanwhile_counts(location: str, rng):
    index, records = filled(location, rng)
    late = record("late", rng)
    changed = records[3].replaced(title="changed")

    def meddle(some: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
        if not index.known([late.key]):
            index.put([late, changed])
            index.delete([records[0].key, records[1199].key])
        return some

    again = ElasticIndex.reindex(location, transform=meddle)
    again.refresh()
    expected = {each.id for each in records} - {"0", "1199"} | {"late"}
    assert {each.id for each in again.scan()} == expected
    assert again.known([changed.key])[changed.key].title == "changed"


def test_searches_are_answered_all_the_while(location: str, rng):
    index, records = filled(location, rng)
    done = threading.Event()
    wrong: list[object] = []

    def search() -> None:
        while not done.is_set():
            try:
                found = [each.id for each in index.ask([question(look(records[5].bits))])[0]]
            except StoreError as error:
                wrong.append(error)
            else:
                wrong.extend([found] * (found != ["5"]))

    searching = threading.Thread(target=search)
    searching.start()
    try:
        for _ in range(3):
            ElasticIndex.reindex(location).close()
    finally:
        done.set()
        searching.join()
    assert wrong == []


def test_other_signatures_cut_off_those_who_still_compute_the_old_ones(location: str, rng):
    old, records = filled(location, rng, 50)
    with pytest.raises(InvalidRequest, match="compute"):
        ElasticIndex.reindex(location, OTHER)
    vector = random_vector(rng)
    new = ElasticIndex.reindex(
        location, OTHER, transform=lambda some: [each.replaced(vector=vector) for each in some]
    )
    np.testing.assert_array_equal(new.get([records[0].key])[records[0].key].vector, vector)
    for use in (lambda: old.put([record("x", rng)]), lambda: old.ask([question(look(records[0].bits))])):
        with pytest.raises(IndexNotFound, match="other signatures"):
            use()
    with pytest.raises(IndexMismatch, match="facsimile index reindex --model"):
        ElasticIndex.open(location, SIGNATURES)
    assert ElasticIndex.open(location).signatures == OTHER


def test_an_index_of_another_layout_is_refused_until_it_is_built_anew(location: str, raw, rng):
    index, _ = filled(location, rng, 50)
    meta = {"facsimile": {"layout": 0, "hash": "test-1", "model": "test", "dims": 64}}
    raw.indices.put_mapping(index=index.info().physical, meta=meta)
    with pytest.raises(IndexMismatch, match="layout 0"):
        ElasticIndex.open(location, SIGNATURES)
    ElasticIndex.reindex(location)
    assert ElasticIndex.open(location, SIGNATURES).count() == 50


def test_an_index_without_panels_gets_them(location: str, raw, rng):
    name = location.rpartition("/")[2]
    mapping = mappings(SIGNATURES, ElasticOptions())
    del mapping["properties"]["panels"], mapping["properties"]["gone"]
    mapping["_meta"]["facsimile"]["layout"] = 1
    raw.indices.create(index=f"{name}-v1", mappings=mapping, aliases={name: {}})
    records = [record(str(n), rng, vector=random_vector(rng)) for n in range(20)]
    for each in records:
        old = document(each)
        del old["panels"], old["gone"]
        raw.index(index=name, id=document_id(each.key), document=old)
    with pytest.raises(
        IndexMismatch, match="layout 1, this version reads 5; `facsimile index reindex` builds"
    ):
        ElasticIndex.open(location)
    assert ElasticIndex.stored(location) == (1, SIGNATURES)

    def told_apart(some: Sequence[ImageRecord]) -> list[ImageRecord]:
        assert all(each.panels.shape == (0, 32) for each in some)
        return [each.replaced(panels=~each.bits[None]) for each in some]

    with ElasticIndex.reindex(location, transform=told_apart) as again:
        assert (again.count(), again.info().layout) == (20, 5)
        for each in records:
            (found,) = again.ask([question(look(~each.bits, panels=True), radius=0)])
            assert [(at.id, at.panels.tolist()) for at in found] == [(each.id, [(~each.bits).tolist()])]


def test_an_index_of_layout_3_keeps_its_thumbnails_hashes_and_vectors(location: str, raw, rng):
    """There, thumbnails lay in the source, hashes in vectors alone, and those were of single precision."""
    name = location.rpartition("/")[2]
    mapping = mappings(SIGNATURES, ElasticOptions())
    del mapping["_source"], mapping["properties"]["hashes"], mapping["properties"]["panel_hashes"]
    mapping["properties"]["thumbnail"] = {"type": "binary"}
    del mapping["properties"]["vector"]["element_type"]
    mapping["_meta"]["facsimile"]["layout"] = 3
    raw.indices.create(index=f"{name}-v1", mappings=mapping, aliases={name: {}})
    records = [
        record(
            str(n),
            rng,
            bits_trimmed=random_bits(rng) if n % 2 else None,
            panels=random_panels(rng, n % 3),
            vector=random_vector(rng),
            thumbnail=b"jpeg %d" % n,
        )
        for n in range(20)
    ]
    for each in records:
        old = document(each)
        del old["hashes"], old["panel_hashes"]
        raw.index(index=name, id=document_id(each.key), document=old)
    with ElasticIndex.reindex(location) as again:
        for got in (again.get([each.key for each in records]).values(), again.scan(full=True)):
            found = {each.key: each for each in got}
            for each in records:
                after = found[each.key]
                assert after.thumbnail == each.thumbnail
                for part in ("bits", "bits_trimmed", "panels", "vector"):
                    np.testing.assert_array_equal(getattr(after, part), getattr(each, part))


class Crash(BaseException):
    """Ends a rebuild as a kill would, with no chance to tidy up."""


def test_a_rebuild_that_failed_leaves_the_index_as_it_was_and_begins_anew(location: str, rng):
    index, _ = filled(location, rng)

    def crash(_: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
        raise Crash

    with pytest.raises(Crash):
        ElasticIndex.reindex(location, transform=crash)
    assert index.put([record("between", rng)])[0].status == Status.ADDED
    again = ElasticIndex.reindex(location)
    assert again.info().physical.endswith("-v2")
    assert again.count() == 1201


def test_a_rebuild_that_was_killed_at_its_end_is_made_good_by_the_next(location: str, raw, rng):
    index, _ = filled(location, rng, 50)
    old = index.info().physical
    raw.indices.create(index=old.replace("-v1", "-v2"))
    raw.indices.add_block(index=old, block="write")
    with pytest.raises(IndexReadOnly):
        index.put([record("new", rng)])
    with ElasticIndex.reindex(location) as again:
        assert again.count() == 50
        assert again.put([record("new", rng)])[0].status == Status.ADDED


def test_the_old_index_is_kept_where_that_is_asked(location: str, raw, rng):
    filled(location, rng, 50)
    again = ElasticIndex.reindex(location, keep=True)
    old, new = physical_indices(raw, location)
    assert (old[-3:], new[-3:]) == ("-v1", "-v2")
    assert raw.count(index=old)["count"] == 50
    assert again.count() == 50
    again.destroy()
    assert physical_indices(raw, location) == []


def test_more_shards_by_a_rebuild(location: str, raw, rng):
    filled(location, rng, 50)
    again = ElasticIndex.reindex(location, options=ElasticOptions(shards=3))
    settings = raw.indices.get_settings(index=again.info().physical)[again.info().physical]["settings"][
        "index"
    ]
    assert settings["number_of_shards"] == "3"
    assert settings["refresh_interval"] == "1s"
    assert again.count() == 50


def test_what_a_kill_after_the_swap_left_goes_with_the_next_rebuild(location: str, raw, rng):
    filled(location, rng, 50)
    ElasticIndex.reindex(location, keep=True).close()
    assert len(physical_indices(raw, location)) == 2
    with ElasticIndex.reindex(location) as again:
        assert physical_indices(raw, location) == [again.info().physical]
        assert again.info().physical.endswith("-v3")
        assert again.count() == 50


def test_a_rebuild_begun_with_other_settings_is_not_continued(location: str, raw, rng):
    filled(location, rng)
    calls = 0

    def crash(some: Sequence[ImageRecord]) -> Sequence[ImageRecord]:
        nonlocal calls
        calls += 1
        if calls == 2:
            raise Crash
        return some

    with pytest.raises(Crash):
        ElasticIndex.reindex(location, transform=crash)
    with ElasticIndex.reindex(location, options=ElasticOptions(shards=3), transform=crash) as again:
        stored = raw.indices.get_settings(index=again.info().physical)[again.info().physical]
        assert stored["settings"]["index"]["number_of_shards"] == "3"
        assert again.count() == 1200
