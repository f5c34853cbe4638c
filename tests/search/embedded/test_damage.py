"""Array files whose bytes are not those that were written: found out, and made anew from the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from facsimile.imaging.record import ImageRecord
from facsimile.search.index.embedded import arrays
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.query import IndexQuery
from tests.support.records import (
    DIMS,
    SIGNATURES,
    look,
    question,
    random_bits,
    random_panels,
    random_vector,
    record,
)

FILES = ("hashes-1", "panels-1", "vectors-1")

Damage = Callable[[bytearray], None]


def overwrite(data: bytearray, start: float, size: int, value: bytes) -> None:
    begin = int((len(data) - size) * start)
    data[begin : begin + size] = (value * size)[:size]


def flip(data: bytearray, place: float) -> None:
    data[int((len(data) - 1) * place)] ^= 1


def swap(data: bytearray, size: int) -> None:
    """Swap two blocks, at the beginning and in the middle."""
    middle = len(data) // 2 // size * size
    data[:size], data[middle : middle + size] = data[middle : middle + size], data[:size]


NOISE = np.random.default_rng(9).bytes(2000)

DAMAGES: dict[str, Damage] = {
    "random bytes": lambda data: overwrite(data, 0.3, 2000, NOISE),
    "zeros at the beginning": lambda data: overwrite(data, 0.0, 512, b"\0"),
    "zeros all over": lambda data: overwrite(data, 0.0, len(data), b"\0"),
    "ones at the end": lambda data: overwrite(data, 1.0, 100, b"\xff"),
    "the first bit": lambda data: flip(data, 0.0),
    "a bit in the middle": lambda data: flip(data, 0.51),
    "the last bit": lambda data: flip(data, 1.0),
    "two rows swapped": lambda data: swap(data, 640),
    "two sectors swapped": lambda data: swap(data, 512),
    "cut off": lambda data: data.__delitem__(slice(len(data) // 3, None)),
    "longer": lambda data: data.extend(NOISE),
}

#: what changes no row that counts
HARMLESS = ("longer",)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


def many(rng: np.random.Generator, count: int) -> list[ImageRecord]:
    return [
        record(
            f"{n:05}",
            rng,
            vector=random_vector(rng) if n % 7 else None,
            bits_trimmed=random_bits(rng) if n % 3 == 0 else None,
            panels=random_panels(rng, n % 3),
        )
        for n in range(count)
    ]


def check(index: EmbeddedIndex, records: list[ImageRecord]) -> None:
    """Each record is found by each of its hashes and by its vector, and nothing else is."""
    for each in records:
        hashes = [each.bits, *each.panels, *([] if each.bits_trimmed is None else [each.bits_trimmed])]
        for bits in hashes:
            (found,) = index.ask([question(look(bits, terms=(), panels=True), radius=31)])
            assert [one.id for one in found] == [each.id]
        if each.vector is not None:
            (near,) = index.ask([IndexQuery((), 0, 0, vector=each.vector, nearest=3)])
            assert each.id in {one.id for one in near}
            for one in near:
                assert one.vector is not None and abs(np.linalg.norm(one.vector) - 1) < 0.01


def harm(path: Path, damage: str) -> None:
    """Damage a file in its place, as a disk would: a new file would have another inode."""
    data = bytearray(path.read_bytes())
    DAMAGES[damage](data)
    with path.open("r+b") as file:
        file.truncate(len(data))
        file.write(data)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("file", FILES)
def test_damage_is_found_out_when_the_index_is_opened(
    folder: Path, rng: np.random.Generator, file: str, damage: str
) -> None:
    records = many(rng, 60)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        for start in range(0, 60, 20):
            index.put(records[start : start + 20])
    harm(folder / file, damage)
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        check(index, records)
        rebuilt = damage not in HARMLESS
        assert (folder / "vectors-2").exists() == rebuilt
        index.put([record("more", rng)])
        assert index.count() == 61
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        check(index, records[:5])
    assert not (folder / "vectors-3").exists()


@pytest.mark.parametrize("damage", ["random bytes", "zeros all over", "a bit in the middle"])
@pytest.mark.parametrize("file", FILES)
def test_damage_is_found_out_while_the_index_is_open(
    folder: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, file: str, damage: str
) -> None:
    monkeypatch.setattr(arrays, "RECHECK_SECONDS", 0)
    records = many(rng, 60)
    with EmbeddedIndex.create(folder, SIGNATURES) as index, EmbeddedIndex.open(folder) as reader:
        index.put(records)
        for opened in (index, reader):
            check(opened, records[:3])
        harm(folder / file, damage)
        for opened in (reader, index):
            check(opened, records)
    assert (folder / "vectors-2").exists()


def test_a_cosine_that_cannot_be_is_never_told(folder: Path, rng: np.random.Generator) -> None:
    """Even within the minute in which a file that changes is not compared again."""
    records = many(rng, 60)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(records)
        check(index, records[:3])
        with (folder / "vectors-1").open("r+b") as file:
            file.write(np.full(DIMS * 10, 1e30, "<f4").tobytes())
        check(index, records)


def test_damage_before_a_write_is_found_out_after_it(folder: Path, rng: np.random.Generator) -> None:
    records = many(rng, 60)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(records[:50])
    for file in FILES:
        harm(folder / file, "the first bit")
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        index.put(records[50:])
        check(index, records)


def test_files_without_checksums_get_them_with_the_next_write(folder: Path, rng: np.random.Generator) -> None:
    """Earlier versions of this layout wrote none."""
    records = many(rng, 60)
    with EmbeddedIndex.create(folder, SIGNATURES) as index:
        index.put(records[:50])
    with sqlite3.connect(folder / "records.sqlite") as database:
        database.execute("DROP TABLE checksums")
    database.close()
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        check(index, records[:50])
        index.put(records[50:])
        check(index, records)
    assert not (folder / "vectors-2").exists()
    harm(folder / "vectors-1", "the first bit")
    with EmbeddedIndex.open(folder, SIGNATURES) as index:
        check(index, records)
    assert (folder / "vectors-2").exists()
