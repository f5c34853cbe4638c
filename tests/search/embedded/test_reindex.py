"""The folder of an embedded index while its signatures are made anew."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from facsimile.imaging.record import ImageRecord
from facsimile.search.errors import IndexMismatch, IndexUnavailable
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.query import IndexQuery
from tests.support.records import SIGNATURES, filled, look, question, random_vector, record

HASHES = Signatures(hash="test-1")

ROOT = Path(__file__).parents[3]

# rebuilds an index for hashes alone, and dies with the first call of what it is told
DYING = """
import os, signal, sys
from pathlib import Path
import facsimile.search.index.embedded.reindex as reindexing
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.search.embedded.test_reindex import HASHES, plain
def dying(*arguments, **options):
    os.kill(os.getpid(), signal.SIGKILL)
setattr({"Path": Path, "reindexing": reindexing}[sys.argv[2]], sys.argv[3], dying)
EmbeddedIndex.reindex(sys.argv[1], HASHES, transform=plain)
"""


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def folder(tmp_path: Path, rng: np.random.Generator) -> Path:
    """An index of 300 records."""
    records = (record(f"{n:03}", rng, vector=random_vector(rng)) for n in range(300))
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        filled(index, *records)
    return tmp_path / "index"


def plain(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    return [each.replaced(vector=None) for each in records]


def test_one_process_at_a_time(folder: Path) -> None:
    def another(records: Sequence[ImageRecord]) -> list[ImageRecord]:
        with pytest.raises(IndexUnavailable, match="another process is re-indexing"):
            EmbeddedIndex.reindex(folder, HASHES, transform=plain)
        with pytest.raises(IndexUnavailable, match="another process is re-indexing"):
            EmbeddedIndex.reindex(folder)
        return plain(records)

    with EmbeddedIndex.reindex(folder, HASHES, transform=another) as index:
        assert (index.signatures, index.count()) == (HASHES, 300)


def test_the_new_signatures_lie_beside_the_old_until_they_are_put_in_place(folder: Path) -> None:
    seen: list[set[str]] = []

    def looking(records: Sequence[ImageRecord]) -> list[ImageRecord]:
        seen.append(names(folder) - {"records.sqlite-wal", "records.sqlite-shm"})
        return plain(records)

    before = (folder / "vectors-1").stat().st_size
    with EmbeddedIndex.reindex(folder, HASHES, transform=looking):
        assert before > 0
        assert {"records.sqlite", "records.sqlite.next", "hashes-1", "vectors-1"} <= seen[0]
        left = names(folder) - {"records.sqlite-wal", "records.sqlite-shm"}
        assert left == {"records.sqlite", "hashes-2"}


@pytest.fixture
def narrow(folder: Path) -> Path:
    """The same with layout 1, whose tables have no panels, no pages and no places that are gone."""
    connection = sqlite3.connect(folder / "records.sqlite")
    with connection:
        connection.execute("ALTER TABLE records DROP COLUMN pages")
        connection.execute("ALTER TABLE records DROP COLUMN gone")
        connection.execute("ALTER TABLE records DROP COLUMN panels")
        connection.execute("ALTER TABLE extent DROP COLUMN panels")
        connection.execute("UPDATE meta SET value = 1 WHERE name = 'layout'")
    connection.close()
    return folder


def told_apart(records: Sequence[ImageRecord]) -> list[ImageRecord]:
    return [each.replaced(panels=~each.bits[None]) for each in records]


def test_layout_1_is_refused_until_it_is_built_anew(narrow: Path) -> None:
    with pytest.raises(
        IndexMismatch, match="layout 1, this version reads 4; `facsimile index reindex` builds"
    ):
        EmbeddedIndex.open(narrow)
    assert EmbeddedIndex.stored(narrow) == (1, SIGNATURES)
    with EmbeddedIndex.reindex(narrow, transform=told_apart) as index:
        assert (index.signatures, index.count(), index.info().layout) == (SIGNATURES, 300, 4)
        for each in list(index.scan())[::50]:
            assert np.array_equal(each.panels, ~each.bits[None])
            assert [[at.id for at in found] for found in index.ask([asking(each)])] == [[each.id]]


def asking(of: ImageRecord) -> IndexQuery:
    return question(look(~of.bits, terms=(), panels=True), radius=0)


@pytest.mark.parametrize(
    "of", [("reindexing", "set_made"), ("reindexing", "_put_in_place"), ("Path", "unlink")]
)
def test_a_killed_rebuild_of_layout_1_is_continued(narrow: Path, of: tuple[str, str]) -> None:
    died(narrow, *of)
    layout, _ = EmbeddedIndex.stored(narrow)
    assert layout == (4 if of[1] == "unlink" else 1)
    with EmbeddedIndex.reindex(narrow, HASHES, transform=plain) as index:
        assert (index.signatures, index.count(), index.info().layout) == (HASHES, 300, 4)
        first = next(index.scan())
        assert [each.id for each in index.ask([question(look(first.bits, terms=()), radius=0)])[0]] == [
            first.id
        ]


def test_a_layout_of_a_later_version_is_left_alone(folder: Path) -> None:
    connection = sqlite3.connect(folder / "records.sqlite")
    with connection:
        connection.execute("UPDATE meta SET value = 5 WHERE name = 'layout'")
    connection.close()
    for use in (EmbeddedIndex.open, EmbeddedIndex.reindex):
        with pytest.raises(IndexMismatch, match=r"layout 5, .* export its records"):
            use(folder)


def test_a_half_made_rebuild_goes_with_the_index(folder: Path) -> None:
    def failing(_: Sequence[ImageRecord]) -> list[ImageRecord]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        EmbeddedIndex.reindex(folder, HASHES, transform=failing)
    assert "records.sqlite.next" in names(folder)
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        assert index.count() == 300
        index.destroy()
    assert not folder.exists()


def died(folder: Path, *of: str) -> None:
    child = subprocess.run([sys.executable, "-c", DYING, str(folder), *of], cwd=ROOT, check=False)
    assert child.returncode == -signal.SIGKILL


def test_a_kill_within_the_last_transaction_leaves_the_old_signatures_and_no_work_to_do_again(
    folder: Path,
) -> None:
    died(folder, "reindexing", "set_made")
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        (first, *_) = index.scan(full=True)
        (near,) = index.ask([IndexQuery((), 0, 0, vector=first.vector, nearest=1)])
        assert [each.id for each in near] == [first.id]

    def needless(records: Sequence[ImageRecord]) -> list[ImageRecord]:
        assert not records
        return []

    with EmbeddedIndex.reindex(folder, HASHES, transform=needless) as index:
        assert (index.signatures, index.count()) == (HASHES, 300)


def test_a_kill_after_the_last_transaction_leaves_the_new_signatures(folder: Path) -> None:
    died(folder, "Path", "unlink")
    with EmbeddedIndex.open(folder, HASHES) as index:
        assert index.count() == 300
        assert next(index.scan(full=True)).vector is None
    EmbeddedIndex.reindex(folder).close()
    assert "records.sqlite.next" not in names(folder)
