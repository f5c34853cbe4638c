"""Who may read and write an index in a folder: its owner, and others where they were let in."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from facsimile.search.errors import IndexReadOnly, StoreError
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from facsimile.search.query import Filter, IndexQuery
from tests.support.records import SIGNATURES, look, question, random_panels, random_vector, record

#: somebody who owns nothing
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of an index in one that everybody may enter, as pytest's own is not."""
    outer = Path(tempfile.mkdtemp())
    outer.chmod(0o755)
    yield outer / "index"
    shutil.rmtree(outer)


def fill(folder: Path) -> list[str]:
    rng = np.random.default_rng(7)
    records = [
        record(str(n), rng, vector=random_vector(rng), panels=random_panels(rng, 1), title="words")
        for n in range(20)
    ]
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(records)
        index.state.put([Entry(kind="kind", id="1")])
    return [each.id for each in records]


def read(folder: Path) -> None:
    """Everything that reads."""
    rng = np.random.default_rng(7)
    one = record("0", rng, vector=random_vector(rng))
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        assert index.count() == 20
        assert [each.id for each in index.ask([question(look(one.bits, panels=True), radius=31)])[0]] == ["0"]
        (near,) = index.ask([IndexQuery((), 0, 0, vector=one.vector, nearest=1)])
        assert [each.id for each in near] == ["0"]
        assert len(index.ask_words("words", 50, Filter())) == 20
        assert len(list(index.scan(full=True))) == 20
        assert index.state.get([Ref("kind", "1")])
        assert index.state.count(EntryFilter(kind="kind")) == 1
        assert index.info().count == 20


def refuse(folder: Path) -> None:
    """What writes is refused, and told so."""
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        with pytest.raises(IndexReadOnly, match="cannot be written"):
            index.put([record("new", np.random.default_rng(8))])
        with pytest.raises(IndexReadOnly, match="cannot be written"):
            index.state.put([Entry(kind="kind", id="2")])
        assert index.count() == 20


def as_nobody(act: Callable[[], object]) -> str:
    """What goes wrong in a process that may not write; empty where all is well."""
    if os.geteuid() != 0:
        pytest.skip("only root may become another user")
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        report = ""
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()
        except BaseException:
            report = traceback.format_exc()
        os.write(writer, report.encode()[-60_000:])
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        report = pipe.read()
    os.waitpid(child, 0)
    return report


def modes(folder: Path) -> dict[str, int]:
    return {each.name: stat.S_IMODE(each.stat().st_mode) for each in (folder, *folder.iterdir())}


def open_to_all(folder: Path) -> None:
    folder.chmod(0o755)
    for each in folder.iterdir():
        each.chmod(0o644)


def test_a_new_index_is_its_owners_alone(folder: Path):
    before = os.umask(0)
    try:
        fill(folder)
        with EmbeddedIndex.open(folder) as index:
            index.put([record("more", np.random.default_rng(8))])
            assert "records.sqlite-wal" in modes(folder)
            assert set(modes(folder).values()) == {0o700, 0o600}
        EmbeddedIndex.reindex(folder).close()
    finally:
        os.umask(before)
    found = modes(folder)
    assert found.pop("index") == 0o700
    assert set(found) >= {"records.sqlite", "state.sqlite", "hashes-2", "panels-2", "vectors-2"}
    assert set(found.values()) == {0o600}
    assert "cannot be" in as_nobody(lambda: EmbeddedIndex.open(folder))


def test_permissions_that_somebody_gave_stay_and_new_files_take_them(folder: Path):
    folder.mkdir()
    folder.chmod(0o2775)
    fill(folder)
    assert modes(folder)["index"] == 0o2775
    (folder / "records.sqlite").chmod(0o664)
    EmbeddedIndex.reindex(folder).close()
    assert {modes(folder)[name] for name in ("records.sqlite", "hashes-2", "vectors-2")} == {0o664}


def test_who_may_only_read_can_search(folder: Path):
    fill(folder)
    open_to_all(folder)
    read(folder)
    assert as_nobody(lambda: read(folder)) == ""
    assert as_nobody(lambda: refuse(folder)) == ""
    assert not [name for name in modes(folder) if name.endswith(("-wal", "-shm"))]


def test_who_may_only_read_sees_what_a_writer_has_just_written(folder: Path):
    fill(folder)
    open_to_all(folder)
    with EmbeddedIndex.open(folder) as writer:
        writer.delete([each.key for each in writer.scan()][10:])
        assert modes(folder)["records.sqlite-wal"] == 0o644

        def look_at_it() -> None:
            with EmbeddedIndex.open(folder) as index:
                assert index.count() == 10

        assert as_nobody(look_at_it) == ""
    assert as_nobody(look_at_it) == ""


def test_a_reader_who_stays_sees_later_writes(folder: Path):
    fill(folder)
    open_to_all(folder)
    go, went = os.pipe()
    wait, come = os.pipe()

    def stay() -> None:
        with EmbeddedIndex.open(folder) as index:
            assert index.count() == 20
            os.write(went, b"x")
            assert os.read(wait, 1)
            assert index.count() == 21
            os.write(went, b"x")
            assert os.read(wait, 1)
            assert index.count() == 22

    def put(index: EmbeddedIndex, id: str) -> None:
        index.put([record(id, np.random.default_rng(8))])

    with ThreadPoolExecutor(1) as pool:
        report = pool.submit(as_nobody, stay)
        assert os.read(go, 1)
        with EmbeddedIndex.open(folder) as writer:
            put(writer, "while the writer is there")
            os.write(come, b"x")
            assert os.read(go, 1)
        with EmbeddedIndex.open(folder) as writer:
            put(writer, "folded in before it is read")
        os.write(come, b"x")
        assert report.result() == ""


def test_strays_and_damage_are_left_to_those_who_may_write(folder: Path):
    fill(folder)
    (folder / "hashes-9").write_bytes(b"stray")
    open_to_all(folder)
    assert as_nobody(lambda: read(folder)) == ""
    with (folder / "vectors-1").open("r+b") as file:
        file.write(b"damaged")

    def search() -> None:
        with pytest.raises(StoreError, match="damaged and cannot be rebuilt"):
            read(folder)

    assert as_nobody(search) == ""
    read(folder)
    assert as_nobody(lambda: read(folder)) == ""
