"""The embedded index under kill -9 and under several processes at once, all of them real."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from facsimile.imaging.record import Key
from facsimile.search.index.base import Status
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.query import Filter, IndexQuery
from tests.support.records import (
    SIGNATURES,
    look,
    question,
    random_bits,
    random_panels,
    random_vector,
    record,
)

pytestmark = pytest.mark.slow


ROOT = Path(__file__).parents[3]

#: records of one write of the programs below
BATCH = 40

# Writes batch after batch and says so after each one; every second round replaces what the first wrote, so
# that slots die and the arrays are rebuilt in between.
WRITER = """
import sys
import facsimile.search.index.embedded.store as store
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.search.embedded.test_crash import batch
store.MIN_DEAD = 100
index = EmbeddedIndex.open(sys.argv[1])
for number in range(int(sys.argv[3])):
    for written in index.put(batch(sys.argv[2], number)):
        assert written.status in ("added", "updated"), written
    print(number, flush=True)
"""


def batch(writer: str, number: int) -> list:
    """What a writer writes as its n-th batch: a name tells the picture."""
    rng = np.random.default_rng([ord(letter) for letter in writer] + [number])
    return [
        record(
            f"{writer} {number // 2 * 2} {position}",
            rng,
            sha256=f"{number:064x}",
            bits_trimmed=random_bits(rng) if position % 2 else None,
            panels=random_panels(rng, position % 4),
            vector=random_vector(rng),
            thumbnail=rng.bytes(3000),
            tags=(f"batch-{number}",),
        )
        for position in range(BATCH)
    ]


def start(folder: Path, writer: str, batches: int, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + WRITER, str(folder), writer, str(batches)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )


def check(index: EmbeddedIndex, writer: str, number: int) -> None:
    """The batch is there as a whole, and every record of it is found by hash and by vector."""
    records = batch(writer, number)
    got = index.get([each.key for each in records])
    assert {each.sha256 for each in got.values()} == {f"{number:064x}"} and len(got) == BATCH
    for each in records:
        (by_hash,) = index.ask([question(look(each.bits, terms=()), radius=10)])
        assert [candidate.id for candidate in by_hash] == [each.id]
        for panel in each.panels[:1]:
            (by_panel,) = index.ask([question(look(panel, terms=(), panels=True), radius=10)])
            assert [candidate.id for candidate in by_panel] == [each.id]
    (by_vector,) = index.ask([IndexQuery((), 0, 0, vector=records[3].vector, nearest=1)])
    assert [candidate.id for candidate in by_vector] == [records[3].id]


@pytest.mark.parametrize("acknowledged", [1, 4, 9, 16])
def test_a_killed_writer_loses_nothing_that_it_was_told_was_kept(tmp_path: Path, acknowledged: int) -> None:
    index = EmbeddedIndex.create(tmp_path / "index", SIGNATURES)
    writer = start(tmp_path / "index", "w", 10_000)
    assert writer.stdout is not None
    for _ in range(acknowledged):
        last = int(writer.stdout.readline())
    os.kill(writer.pid, signal.SIGKILL)
    told = [int(line) for line in writer.communicate()[0].split()]
    last = max([last, *told])

    shown = {int(each.sha256, 16) for each in index.scan()}
    assert shown <= set(range(last + 2)), "at most the batch in flight came beyond what was told"
    assert index.count() % BATCH == 0, "batches are whole"
    newest = max(shown)
    assert newest >= last
    for number in sorted(shown):
        check(index, "w", number)
    if newest:
        replaced = batch("w", 0)[0]
        assert index.ask([question(look(replaced.bits, terms=()), radius=10)]) == [[]]

    statuses = {written.status for written in index.put(batch("next", 0))}
    assert statuses == {Status.ADDED}
    check(index, "next", 0)
    check(index, "w", newest)


@pytest.mark.parametrize("moment", ["append", "check", "strays"])
@pytest.mark.parametrize("call", [1, 3, 8, 9, 11, 12])
def test_a_writer_that_dies_at_a_chosen_moment_leaves_a_sound_index(
    tmp_path: Path, moment: str, call: int
) -> None:
    """`append` ends with the array rows on the disk and nothing committed, in a rebuild too."""
    index = EmbeddedIndex.create(tmp_path / "index", SIGNATURES)
    dying = (
        "import os, signal\nfrom facsimile.search.index.embedded.arrays import Arrays\n"
        f"whole, calls = Arrays.{moment}, []\n"
        "def dying(*arguments):\n"
        "    result = whole(*arguments)\n"
        "    calls.append(1)\n"
        f"    if len(calls) == {call}: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return result\n"
        f"Arrays.{moment} = dying\n"
    )
    writer = start(tmp_path / "index", "w", 20, before=dying)
    told = [int(line) for line in writer.communicate()[0].split()]
    assert writer.returncode == -signal.SIGKILL
    assert index.count() == BATCH * len({number // 2 for number in told})
    if told:
        check(index, "w", told[-1])
    assert {written.status for written in index.put(batch("next", 0))} == {Status.ADDED}
    check(index, "next", 0)
    if told:
        check(index, "w", told[-1])


def test_several_processes_write_and_one_reads(tmp_path: Path) -> None:
    index = EmbeddedIndex.create(tmp_path / "index", SIGNATURES)
    rng = np.random.default_rng(5)
    steady = record("steady", rng, vector=random_vector(rng))
    index.put([steady])
    writers = {name: start(tmp_path / "index", name, 12) for name in ("a", "b", "c")}
    while any(writer.poll() is None for writer in writers.values()):
        asked = question(look(steady.bits, terms=()), radius=10, vector=steady.vector, nearest=1)
        assert [[each.id for each in found] for found in index.ask([asked])] == [["steady"]]
        assert index.count() % BATCH == 1
        assert index.get([steady.key]).keys() == {steady.key}
    for name, writer in writers.items():
        assert writer.communicate()[0].split() == [str(number) for number in range(12)]
        for number in range(1, 12, 2):
            check(index, name, number)
    assert index.count() == 1 + 3 * 6 * BATCH
    assert index.count(Filter(terms={"tags": ("batch-0",)})) == 0


def test_processes_that_make_the_same_index_agree_on_one(tmp_path: Path) -> None:
    maker = (
        "import sys\nfrom facsimile.search.errors import IndexAlreadyExists\n"
        "from facsimile.search.index.embedded.index import EmbeddedIndex\n"
        "from tests.support.records import SIGNATURES\n"
        "try: EmbeddedIndex.create(sys.argv[1], SIGNATURES); print('made')\n"
        "except IndexAlreadyExists: print('exists')\n"
    )
    makers = [
        subprocess.Popen(
            [sys.executable, "-c", maker, str(tmp_path / "index")],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    said = sorted(each.communicate()[0].strip() for each in makers)
    assert said == ["exists", "exists", "exists", "made"]
    assert EmbeddedIndex.open(tmp_path / "index", SIGNATURES).get([Key("default", "x")]) == {}
