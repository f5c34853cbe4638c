"""The embedded index alone: its files, its repairs, and what is in them when one looks with other eyes."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facsimile.imaging.distance import hamming
from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import IndexNotFound, IndexReadOnly, InvalidRequest, StoreError
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.query import Filter, IndexQuery
from tests.support.records import (
    DIMS,
    SIGNATURES,
    digest,
    flipped,
    look,
    question,
    random_bits,
    random_panels,
    random_vector,
    record,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20261)


def many(rng: np.random.Generator, count: int) -> list[ImageRecord]:
    return [
        record(
            f"{n:05}",
            rng,
            vector=random_vector(rng),
            bits_trimmed=random_bits(rng) if n % 3 == 0 else None,
            panels=random_panels(rng, n % 5),
            title=f"number {n}",
        )
        for n in range(count)
    ]


def found(index: EmbeddedIndex, bits: np.ndarray, radius: int = 31) -> list[str]:
    (records,) = index.ask([question(look(bits, terms=(), panels=True), radius=radius)])
    return sorted(each.id for each in records)


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm"))}


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(ids=st.lists(texts, unique=True, min_size=1, max_size=8))
def test_no_two_ids_are_mistaken_for_each_other(
    tmp_path_factory: pytest.TempPathFactory, ids: list[str]
) -> None:
    rng = np.random.default_rng(0)
    with EmbeddedIndex.create(tmp_path_factory.mktemp("ids"), SIGNATURES) as index:
        index.put([record(id, rng, title=f"title of {id}") for id in ids])
        got = index.get([Key("default", id) for id in ids])
        assert {key.id: each.title for key, each in got.items()} == {id: f"title of {id}" for id in ids}
        assert [each.id for each in index.scan()] == sorted(ids, key=str.encode)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), radius=st.integers(0, 256), count=st.integers(1, 120))
def test_the_scan_is_the_definition(
    tmp_path_factory: pytest.TempPathFactory, seed: int, radius: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    query = random_bits(rng)
    records = [
        record(
            str(n), rng, bits=flipped(query, int(rng.integers(0, 257)), rng), quality=int(rng.integers(0, 3))
        )
        for n in range(count)
    ]
    with EmbeddedIndex.create(tmp_path_factory.mktemp("scan"), SIGNATURES) as index:
        index.put(records)
        (answer,) = index.ask([question(look(query), radius=radius, limit=count)])
    expected = {
        each.id for each in records if each.quality > 0 and min(int(hamming(each.bits, query)), 255) <= radius
    }
    assert {each.id for each in answer} == expected


def test_the_files_hold_what_was_put(folder: Path, rng: np.random.Generator) -> None:
    """Read without the index, so that a fault in writing cannot hide behind the same fault in reading."""
    put = record(
        "1",
        rng,
        bits_trimmed=random_bits(rng),
        panels=random_panels(rng, 2),
        vector=random_vector(rng),
        metadata={"a": {"b": True}},
    )
    blank = record("2", rng, panels=random_panels(rng, 1), quality=0)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put([put, blank])
        hashes, panels = (
            np.fromfile(folder / name, np.uint8).reshape(-1, 40) for name in ("hashes-1", "panels-1")
        )
        vectors = np.fromfile(folder / "vectors-1", np.float32).reshape(-1, DIMS)
        database = sqlite3.connect(folder / "records.sqlite")
        (row,) = database.execute("SELECT bits, bits_trimmed, panels, slot FROM records WHERE id = '1'")
        terms = database.execute("SELECT path, value FROM terms").fetchall()
        mode = database.execute("PRAGMA journal_mode").fetchone()
        database.close()
    assert put.bits_trimmed is not None and put.vector is not None
    assert row == (put.bits.tobytes(), put.bits_trimmed.tobytes(), put.panels.tobytes(), 0)
    assert [bytes(each[:32]) for each in hashes] == [put.bits.tobytes(), put.bits_trimmed.tobytes()]
    assert np.array_equal(panels[:, :32], put.panels)
    for rows in (hashes, panels):
        assert rows[:, 32:].view("<u8").ravel().tolist() == [0, 0]
    np.testing.assert_allclose(vectors[0], put.vector, atol=1e-3)
    assert np.isnan(vectors[1]).all()
    assert terms == [("metadata.a.b", "true")]
    assert mode == ("wal",)


def test_deleting_leaves_no_row_behind(folder: Path, rng: np.random.Generator) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    put = record("1", rng, vector=random_vector(rng), thumbnail=b"x", title="t", tags=("t",), sources=("s",),
                 metadata={"k": [1, 2]})  # fmt: skip
    index.put([put, put.replaced(title="changed", sources=("another",))])
    index.delete([put.key])
    index.close()
    database = sqlite3.connect(folder / "records.sqlite")
    tables = ("records", "vectors", "thumbnails", "terms", "words", "collections")
    left = {table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
    database.execute("INSERT INTO words (words) VALUES ('integrity-check')")
    database.close()
    assert left == dict.fromkeys(tables, 0)


def test_writes_of_another_opening_show_at_once(folder: Path, rng: np.random.Generator) -> None:
    mine, theirs = EmbeddedIndex.create(folder, SIGNATURES), EmbeddedIndex.open(folder, SIGNATURES)
    records = many(rng, 20)
    for number, each in enumerate(records, 1):
        theirs.put([each])
        assert found(mine, each.bits) == [each.id]
        assert mine.count() == number
    theirs.delete([records[0].key])
    assert found(mine, records[0].bits) == []


def test_many_threads_read_while_one_writes(folder: Path, rng: np.random.Generator) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    steady, records = record("steady", rng), many(rng, 400)
    index.put([steady])
    wrong: list[object] = []
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            try:
                if (answer := found(index, steady.bits)) != ["steady"]:
                    wrong.append(answer)
            except Exception as error:
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    for start in range(0, len(records), 20):
        index.put(records[start : start + 20])
        index.put([steady.replaced(sources=(str(start),))])
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
    assert len(index.get([steady.key])[steady.key].sources) == 20


@pytest.mark.parametrize("damage", ["missing", "short", "empty"])
@pytest.mark.parametrize("file", ["hashes-1", "panels-1", "vectors-1"])
def test_damaged_array_files_are_rebuilt(
    folder: Path, rng: np.random.Generator, file: str, damage: str
) -> None:
    records = many(rng, 200)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(records)
        index.delete([each.key for each in records[:50]])
    path = folder / file
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: 1000 if damage == "short" else 0])
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        assert found(index, records[60].bits_trimmed) == ["00060"]
        assert found(index, records[64].panels[3]) == ["00064"]
        assert found(index, records[10].bits) == found(index, records[14].panels[0]) == []
        (near,) = index.ask([IndexQuery((), 0, 0, vector=records[77].vector, nearest=1)])
        assert [each.id for each in near] == ["00077"]
        index.put(many(np.random.default_rng(1), 1))
    assert names(folder) == {"records.sqlite", "hashes-2", "panels-2", "vectors-2"}


def test_a_write_into_damaged_array_files_loses_nothing(folder: Path, rng: np.random.Generator) -> None:
    old, new = record("old", rng), record("new", rng)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put([old])
        (folder / "hashes-1").unlink()
        index.put([new])
        assert (found(index, old.bits), found(index, new.bits)) == (["old"], ["new"])


def test_dead_slots_are_taken_out_in_the_end(folder: Path, rng: np.random.Generator) -> None:
    records = many(rng, 6000)
    reader = EmbeddedIndex.create(folder, SIGNATURES)
    index = EmbeddedIndex.open(folder, SIGNATURES)
    index.put(records)
    assert found(reader, records[-1].bits) == ["05999"]
    index.delete([each.key for each in records[:5000]])
    for opened in (reader, index):
        assert found(opened, records[-1].bits) == ["05999"]
        assert found(opened, records[5999].panels[3]) == ["05999"]
        assert found(opened, records[0].bits) == found(opened, records[4].panels[0]) == []
        (near,) = opened.ask([IndexQuery((), 0, 0, vector=records[5500].vector, nearest=1)])
        assert [each.id for each in near] == ["05500"]
    index.put([record("more", rng)])
    assert names(folder) == {"records.sqlite", "hashes-2", "panels-2", "vectors-2"}
    assert (folder / "vectors-2").stat().st_size == 1001 * DIMS * 4


def test_reindex_gives_space_back_and_keeps_everything(folder: Path, rng: np.random.Generator) -> None:
    records = [each.replaced(thumbnail=rng.bytes(4000)) for each in many(rng, 1000)]
    index = EmbeddedIndex.create(folder, SIGNATURES)
    index.put(records)
    index.delete([each.key for each in records[:900]])
    before = index.info().bytes
    index = EmbeddedIndex.reindex(folder)
    assert index.info().bytes < before / 3
    assert names(folder) == {"records.sqlite", "hashes-2", "panels-2", "vectors-2"}
    assert found(index, records[950].bits) == ["00950"]
    got = index.get([records[950].key])[records[950].key]
    assert got.thumbnail == records[950].thumbnail


def test_files_of_a_rebuild_that_never_ended_are_removed(folder: Path, rng: np.random.Generator) -> None:
    put = record("1", rng)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put([put])
    (folder / "hashes-2").write_bytes(b"half")
    (folder / "vectors-7").write_bytes(b"half")
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        assert names(folder) == {"records.sqlite", "hashes-1", "vectors-1"}
        assert found(index, put.bits) == ["1"]


def test_a_damaged_database_is_told_in_one_sentence(folder: Path, rng: np.random.Generator) -> None:
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(many(rng, 50))
    (folder / "records.sqlite").write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        EmbeddedIndex.open(folder, SIGNATURES)


def test_a_full_disk_keeps_what_there_was(folder: Path, rng: np.random.Generator) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    old = record("old", rng)
    index.put([old])
    with index._store.connection() as connection:  # the database itself sets the limit of this connection
        connection.execute("PRAGMA max_page_count = 1")
    with pytest.raises(IndexReadOnly, match="full") as caught:
        index.put([each.replaced(thumbnail=bytes(50_000)) for each in many(rng, 100)])
    assert caught.value.transient
    assert (index.count(), found(index, old.bits)) == (1, ["old"])
    with EmbeddedIndex.open(folder, SIGNATURES) as roomy:
        roomy.put(many(rng, 100))
        assert (roomy.count(), found(index, old.bits)) == (101, ["old"])


def test_a_database_that_cannot_be_written_is_told(folder: Path, rng: np.random.Generator) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    index.put([record("old", rng)])
    with index._store.connection() as connection:
        connection.execute("PRAGMA query_only = true")
    with pytest.raises(IndexReadOnly, match="cannot be written"):
        index.put([record("new", rng)])
    assert index.count() == 1


def test_a_half_made_index_is_missing_and_can_be_made(folder: Path) -> None:
    folder.mkdir()
    (folder / "records.sqlite").touch()
    with pytest.raises(IndexNotFound, match="facsimile ingest PHOTOS"):
        EmbeddedIndex.open(folder)
    assert EmbeddedIndex.create(folder, SIGNATURES).count() == 0


def test_a_folder_that_vanishes_is_told(folder: Path, rng: np.random.Generator) -> None:
    EmbeddedIndex.create(folder, SIGNATURES).close()
    index = EmbeddedIndex.open(folder, SIGNATURES)
    index.close()
    shutil.rmtree(folder)
    with pytest.raises(StoreError, match="closed"):
        index.count()
    with pytest.raises(IndexNotFound):
        EmbeddedIndex.open(folder)


def test_a_file_in_place_of_the_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").touch()
    with pytest.raises(InvalidRequest, match=r"photo\.jpg is no folder"):
        EmbeddedIndex.create(tmp_path / "photo.jpg", SIGNATURES)


def test_destroy_leaves_what_is_not_the_index(folder: Path) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    (folder / "notes.txt").write_text("mine")
    index.destroy()
    assert [path.name for path in folder.iterdir()] == ["notes.txt"]


def test_questions_that_are_no_unicode_are_refused(folder: Path) -> None:
    index = EmbeddedIndex.create(folder, SIGNATURES)
    with pytest.raises(InvalidRequest, match="Unicode"):
        index.get([Key("default", "\ud800")])
    with pytest.raises(InvalidRequest, match="values"):
        index.count(Filter(terms={"id": tuple(map(str, range(40_000)))}))


def test_an_index_with_signs_in_its_path(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "my #1 index? 100% ünï" / "inner"
    put = record("1", rng)
    with EmbeddedIndex.create(path, Signatures(hash="h")) as index:
        index.put([put])
    with EmbeddedIndex.open(str(path)) as index:
        assert found(index, put.bits) == ["1"]
        assert index.ask_bytes([digest("bytes of 1")], Filter())[digest("bytes of 1")][0].id == "1"
