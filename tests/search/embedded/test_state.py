"""What is particular to the state of the embedded index; what both indices do is in tests/conformance."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from facsimile.search.errors import IndexMismatch, StoreError
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from tests.support.records import SIGNATURES

ROOT = Path(__file__).parents[3]
JOBS = EntryFilter(kind="job")

# each call writes ten entries, and moves all of them on
WRITER = """
import sys
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.search.embedded.test_state import batch
state = EmbeddedIndex.open(sys.argv[1]).state
for number in range(100_000):
    written = state.put(batch(number))
    assert None not in state.put([entry.replaced(terms={"state": ("done",)}) for entry in written])
    print(number, flush=True)
"""


def batch(number: int) -> list[Entry]:
    return [
        Entry(kind="job", id=f"{number} {n}", terms={"state": ("open",)}, numbers={"batch": number})
        for n in range(10)
    ]


@pytest.mark.parametrize("acknowledged", [1, 10, 100])
def test_a_killed_writer_loses_nothing_that_it_was_told_was_kept(tmp_path: Path, acknowledged: int) -> None:
    state = EmbeddedIndex.create(tmp_path / "index", SIGNATURES).state
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path / "index")], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout
    told = [int(writer.stdout.readline()) for _ in range(acknowledged)]
    os.kill(writer.pid, signal.SIGKILL)
    told += [int(line) for line in writer.communicate()[0].split()]
    counts = state.counts(JOBS, "state")
    assert set(counts.values()) <= {10 * len(told), 10 * len(told) + 10, 10}, "batches are whole"
    assert state.count(JOBS) == sum(counts.values()) >= 10 * len(told)
    assert [entry.term("state") for entry in state.get(each.ref for each in batch(told[-1])).values()] == [
        "done"
    ] * 10
    listed = [entry.id for entry in state.all(JOBS, order="batch")]
    assert len(listed) == state.count(JOBS)
    assert None not in state.put(batch(100_000))


def test_a_folder_that_never_had_state_has_no_file_of_it(tmp_path: Path) -> None:
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        index.state.find(JOBS)
        index.state.delete([Ref("job", "1")])
        assert not list((tmp_path / "index").glob("state*"))
        small = index.info().bytes
        index.state.put(batch(1))
        assert index.info().bytes > small
    assert list((tmp_path / "index").glob("state*"))


def test_a_file_that_nobody_finished_making_is_finished(tmp_path: Path) -> None:
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        (tmp_path / "index" / "state.sqlite").touch()
        assert index.state.find(JOBS).entries == []
        assert None not in index.state.put(batch(1))


def test_a_damaged_file_says_so_and_leaves_the_records_alone(tmp_path: Path) -> None:
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        (tmp_path / "index" / "state.sqlite").write_bytes(b"no database" * 1000)
        with pytest.raises(StoreError, match=r"state\.sqlite is damaged"):
            index.state.find(JOBS)
        assert index.count() == 0


def test_a_file_of_another_version_is_refused(tmp_path: Path) -> None:
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        index.state.put(batch(1))
        with index.state._connections.writing() as connection:
            connection.execute("PRAGMA user_version = 99")
        with pytest.raises(IndexMismatch, match="layout 99"):
            index.state.put(batch(2))


def test_sums_beyond_64_bits(tmp_path: Path) -> None:
    with EmbeddedIndex.create(tmp_path / "index", SIGNATURES) as index:
        numbers = [2**63 - 1, 2**63 - 1, -(2**63), 2**62, -1]
        index.state.put([Entry(kind="job", id=str(n), numbers={"n": each}) for n, each in enumerate(numbers)])
        assert index.state.sums(JOBS, ["n"]) == {"n": sum(numbers)}
        index.state.put([Entry(kind="job", id="more", numbers={"n": 2**63 - 1})])
        assert index.state.sums(JOBS, ["n"]) == {"n": sum(numbers) + 2**63 - 1}


def test_a_closed_state_says_so(tmp_path: Path) -> None:
    index = EmbeddedIndex.create(tmp_path / "index", SIGNATURES)
    index.state.put(batch(1))
    index.close()
    with pytest.raises(StoreError, match="closed"):
        index.state.count(JOBS)


def test_openings_that_write_first_together_all_write(tmp_path: Path) -> None:
    for number in range(40):
        folder = tmp_path / str(number)
        EmbeddedIndex.create(folder, SIGNATURES).close()
        start = threading.Barrier(4)

        def write(who: int, folder: Path = folder, start: threading.Barrier = start) -> bool:
            with EmbeddedIndex.open(folder) as index:
                start.wait()
                return None not in index.state.put([Entry(kind="job", id=str(who))])

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(write, range(4))) == [True] * 4
