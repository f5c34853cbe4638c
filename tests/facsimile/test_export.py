"""`export`, `import` and the life of an index."""

from __future__ import annotations

import dataclasses
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.typing import NDArray

from facsimile.imaging.distance import hamming
from facsimile.search.index.opening import open_index
from tests.facsimile.conftest import NAMES, page
from tests.support.shell import Shell


def records(location: str) -> list[dict[str, Any]]:
    """All that an index holds."""
    with open_index(location) as index:
        return [
            {
                name: value.tolist() if hasattr(value, "tolist") else value
                for name in (each.name for each in dataclasses.fields(record))
                for value in [getattr(record, name)]
            }
            for record in index.scan(full=True)
        ]


@pytest.mark.parametrize("name", ["records.jsonl", "records.jsonl.gz"])
def test_records_move_between_the_kinds_of_index_and_stay_equal(
    filled: Shell, place_of: Callable[[str], str], tmp_path: Path, name: str
) -> None:
    there = filled.on(place_of("embedded" if filled.index.startswith("http") else "elastic"))
    file = tmp_path / name
    assert filled.json("export", file) == {"exported": len(NAMES), "failed": 0, "entries": 0}
    taken = {"imported": len(NAMES), "failed": 0, "entries": 0, "halted": 0}
    assert there.json("import", file) == taken
    assert records(there.index) == records(filled.index)
    assert there.json("import", file) == taken
    assert there.count == len(NAMES)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("rec")] == [name]


def test_digests_of_an_earlier_export_are_those_of_the_bytes(
    embedded: Shell, photos: Path, place_of: Callable[[str], str]
) -> None:
    embedded.json("ingest", photos / "coffee.png")
    file = embedded.folder / "records.jsonl"
    embedded.json("export", file)
    header, row = (orjson.loads(line) for line in file.read_bytes().splitlines())
    assert row["pixels"] != row["sha256"]
    earlier = {name: value for name, value in header.items() if name != "pixels"}
    for head, pixels in ((header, row["pixels"]), (earlier, row["sha256"])):
        file.write_bytes(b"\n".join(map(orjson.dumps, (head, row))))
        there = embedded.on(place_of("embedded"))
        there.json("import", file)
        assert [record["pixels"] for record in records(there.index)] == [pixels]


def test_panels_come_with_an_export_and_are_made_where_an_earlier_one_has_none(
    embedded: Shell, photos: Path, place_of: Callable[[str], str]
) -> None:
    page(embedded.folder / "page.png", photos)
    embedded.json("ingest", embedded.folder / "page.png")
    file = embedded.folder / "records.jsonl"
    embedded.json("export", file)
    header, row = (orjson.loads(line) for line in file.read_bytes().splitlines())
    assert len(row["panels"]) >= 2 and {len(bits) for bits in row["panels"]} == {64}
    for kept in ({}, {"thumbnail": None}):
        earlier = {name: value for name, value in row.items() if name != "panels"} | kept
        file.write_bytes(b"\n".join(map(orjson.dumps, (header | {"version": 1}, earlier))))
        there = embedded.on(place_of("embedded"))
        assert there.json("import", file)["imported"] == 1
        ((made,), (stored,)) = records(there.index), records(embedded.index)
        if kept:
            assert made["panels"] == []
        else:
            near = hamming(bits_of(made)[:, None], bits_of(stored)[None]).min(axis=1)
            assert np.count_nonzero(near <= 16) >= 2


def bits_of(record: dict[str, Any]) -> NDArray[np.uint8]:
    return np.array(record["panels"], np.uint8)


def test_one_collection_can_be_exported(filled: Shell, tmp_path: Path) -> None:
    file = tmp_path / "some.jsonl"
    assert filled.json("export", file, "--collection", "things")["exported"] == 3
    rows = [orjson.loads(line) for line in file.read_bytes().splitlines()]
    assert {row["collection"] for row in rows[1:]} == {"things"}


@pytest.fixture(scope="module")
def exported(filled: Shell, tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The lines of an export."""
    file = tmp_path_factory.mktemp("export") / "records.jsonl"
    filled.json("export", file)
    return file.read_bytes().splitlines(keepends=True)


def test_a_damaged_file_is_told_with_its_line_and_what_came_before_is_kept(
    embedded: Shell, exported: list[bytes]
) -> None:
    file = embedded.folder / "damaged.jsonl"
    file.write_bytes(b"".join([*exported[:3], exported[3][:200]]))
    done = embedded("import", file)
    assert done.code == 2
    assert f"{file}: line 4 is damaged" in done.complaint
    assert embedded.count == 2
    file.with_suffix(".gz").write_bytes(gzip.compress(b"".join(exported))[:-100])
    assert "cannot be read" in embedded("import", file.with_suffix(".gz")).complaint


def test_a_file_that_is_no_export_or_has_other_signatures_is_refused(
    embedded: Shell, exported: list[bytes]
) -> None:
    file = embedded.folder / "other.jsonl"
    file.write_bytes(b"hello\n")
    assert "is not a file that `facsimile export` wrote" in embedded("import", file).complaint
    header = orjson.loads(exported[0]) | {"hash": "phash256-0"}
    file.write_bytes(b"".join([orjson.dumps(header), b"\n", *exported[1:]]))
    done = embedded("import", file)
    assert done.code == 2
    assert "phash256-0" in done.complaint
    header = orjson.loads(exported[0]) | {"version": 9}
    file.write_bytes(b"".join([orjson.dumps(header), b"\n", *exported[1:]]))
    done = embedded("import", file)
    assert done.code == 2
    assert "version 9 of the format" in done.complaint and "use the version" in done.complaint
    assert embedded.count == 0


def test_an_index_is_made_once_and_rebuilt_without_loss(facsimile: Shell, photos: Path) -> None:
    assert facsimile.json("index", "create")["count"] == 0
    again = facsimile("index", "create")
    assert again.code == 2
    assert "there" in again.complaint
    facsimile.json("ingest", photos)
    before = records(facsimile.index)
    assert facsimile.json("index", "reindex")["count"] == len(NAMES)
    assert records(facsimile.index) == before
