"""Many items through child processes: faults, an index that is away, Ctrl-C, memory."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from facsimile.imaging.phash import HASH_VERSION
from facsimile.ingest import bulk
from facsimile.ingest.bulk import IngestSetup
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.pipeline import StageTimings, process
from facsimile.ingest.sources import items
from facsimile.search.errors import IndexNotFound, IndexUnavailable, StoreError
from facsimile.search.index.base import Signatures, Status
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.support.pictures import synthetic

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A hundred pictures."""
    made = tmp_path / "pictures"
    made.mkdir()
    for seed in range(100):
        (made / f"{seed:03}.jpg").write_bytes(synthetic(seed, (48, 36)))
    return made


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """An empty index."""
    EmbeddedIndex.create(tmp_path / "index", Signatures(hash=HASH_VERSION)).close()
    return tmp_path / "index"


def work(place: Path, **options: Any) -> IngestSetup:
    return IngestSetup(open_index=partial(EmbeddedIndex.open, place), **options)


def count(place: Path) -> int:
    with EmbeddedIndex.open(place) as index:
        return index.count()


def with_fault(chunk: Sequence[Item], *, fault: str, **options: Any) -> list[Outcome]:
    """The pipeline of a process in which one image has a fault that no real file can be made to have."""
    if any(item.source.endswith("/042.jpg") for item in chunk):
        if fault == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        if fault == "hang":
            time.sleep(600)
        raise ZeroDivisionError("a defect")
    return process(chunk, **options)


def test_two_processes_bring_in_all_and_the_second_run_changes_nothing(folder: Path, place: Path) -> None:
    timings = StageTimings()
    seen: list[Outcome] = []
    tally = bulk.run(items(str(folder)), work(place), jobs=2, on_outcome=seen.append, timings=timings)
    assert (tally.added, tally.total, tally.interrupted) == (100, 100, False)
    assert sorted(outcome.item.source for outcome in seen) == sorted(str(p) for p in folder.iterdir())
    assert timings.describe > 0
    again = bulk.run(items(str(folder)), work(place), jobs=2)
    assert (again.unchanged, again.total) == (100, 100)
    assert count(place) == 100


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("kill", "DecoderCrashed"),
        ("segfault", "DecoderCrashed"),
        ("hang", "DecoderTimeout"),
        ("defect", "DecoderCrashed"),
    ],
)
def test_an_image_that_ends_its_process_fails_alone(
    folder: Path, place: Path, fault: str, error: str
) -> None:
    failed: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        if outcome.status is Status.FAILED:
            failed.append(outcome)

    faulty = work(place, run=partial(with_fault, fault=fault))
    tally = bulk.run(items(str(folder)), faulty, jobs=2, on_outcome=note, item_seconds=2)
    assert (tally.added + tally.unchanged, tally.failed) == (99, 1)
    assert [(Path(outcome.item.source).name, outcome.error) for outcome in failed] == [("042.jpg", error)]
    assert count(place) == 99


def test_outcomes_of_the_source_are_counted_among_the_others(folder: Path, place: Path) -> None:
    (folder / "list.jsonl").write_text('{"source":"000.jpg"}\n{broken\n{"source":"missing.jpg"}\n')
    tally = bulk.run(items(str(folder / "list.jsonl")), work(place), jobs=1)
    assert (tally.added, tally.failed) == (1, 2)


def with_outage(chunk: Sequence[Item], *, gone: Path, **options: Any) -> list[Outcome]:
    """The pipeline, with an index that is away while there is a certain file."""
    if gone.exists():
        raise IndexUnavailable("the index is away")
    return process(chunk, **options)


def test_an_index_that_goes_away_and_comes_back_loses_nothing(
    folder: Path, place: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    waits: list[str] = []

    def leave(outcome: Outcome) -> None:
        if not waits:
            gone.touch()

    def come_back(error: StoreError) -> None:
        waits.append(str(error))
        if len(waits) == 3:
            gone.unlink()

    away = work(place, run=partial(with_outage, gone=gone))
    stream = chain(items(str(folder)), items(str(folder)))
    tally = bulk.run(stream, away, jobs=1, on_outcome=leave, on_wait=come_back, patience=60)
    assert (tally.added, tally.total) == (100, 200)
    assert len(waits) >= 3


def test_an_index_that_stays_away_ends_the_run_with_its_error(
    folder: Path, place: Path, tmp_path: Path
) -> None:
    gone = tmp_path / "gone"
    away = work(place, run=partial(with_outage, gone=gone))
    stream = chain(items(str(folder)), items(str(folder)))
    with pytest.raises(IndexUnavailable):
        bulk.run(stream, away, jobs=1, on_outcome=lambda outcome: gone.touch(), patience=1)
    with pytest.raises(IndexUnavailable):  # not even once there: no patience at all
        bulk.run(items(str(folder)), away, jobs=1, patience=10_000)
    with pytest.raises(IndexNotFound):
        bulk.run(items(str(folder)), work(tmp_path / "nothing"), jobs=2)


def slowly(chunk: Sequence[Item], **options: Any) -> list[Outcome]:
    time.sleep(0.3)
    return process(chunk, **options)


def test_the_first_ctrl_c_ends_cleanly_and_the_next_run_continues(folder: Path, place: Path) -> None:
    def stream() -> Iterator[Item | Outcome]:
        for number in range(100):
            yield from items(str(folder))
            if number == 1:
                os.kill(os.getpid(), signal.SIGINT)

    told: list[Outcome] = []
    before = signal.getsignal(signal.SIGINT)
    tally = bulk.run(stream(), work(place, run=slowly), jobs=2, on_outcome=told.append)
    assert tally.interrupted
    assert 0 < tally.total < 1000
    assert tally.total == len(told)
    assert tally.added == count(place)
    assert signal.getsignal(signal.SIGINT) is before
    rest = bulk.run(items(str(folder)), work(place), jobs=2)
    assert (rest.added + tally.added, rest.interrupted) == (100, False)


def test_the_second_ctrl_c_ends_at_once(folder: Path, place: Path) -> None:
    def stream() -> Iterator[Item | Outcome]:
        yield from items(str(folder))
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        bulk.run(stream(), work(place, run=partial(with_fault, fault="hang")), jobs=2)


def test_the_source_is_read_only_as_far_as_the_work_has_come(folder: Path, place: Path) -> None:
    """Otherwise a million items would lie in memory while the first are described."""
    read = done = most = 0

    def stream() -> Iterator[Item]:
        nonlocal read, most
        for number in range(3000):
            read += 1
            most = max(most, read - done)
            yield Item(str(folder / f"{number % 100:03}.jpg"))

    def note(outcome: Outcome) -> None:
        nonlocal done
        done += 1

    tally = bulk.run(stream(), work(place), jobs=1, on_outcome=note)
    assert tally.total == 3000
    assert most <= (bulk.AHEAD + 2) * bulk.CHUNK_ITEMS
