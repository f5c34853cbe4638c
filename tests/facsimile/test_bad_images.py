"""Images and lists that cannot be read: each is told in one line, and never ends the others."""

from __future__ import annotations

import os
import shutil
import struct
import zlib
from pathlib import Path

import orjson
import pytest

from tests.support.shell import Shell, unprivileged


def bomb(side: int) -> bytes:
    """A PNG of a few bytes that says it has so many pixels a side."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(10_000))) + chunk(b"IEND", b"")


@pytest.fixture
def broken(photos: Path) -> dict[str, str]:
    """Bad files beside the photographs, and what is said of each."""
    (photos / "empty.jpg").touch()
    (photos / "text.jpg").write_text("no picture")
    (photos / "short.jpg").write_bytes((photos / "rocket.jpg").read_bytes()[:30_000])
    (photos / "bomb.png").write_bytes(bomb(60_000))
    shutil.copy(photos / "rocket.jpg", photos / "locked.jpg")
    (photos / "locked.jpg").chmod(0)
    return {
        "empty.jpg": "the image has zero bytes",
        "text.jpg": "the bytes are not in a supported image format",
        "short.jpg": "the JPEG image is damaged or cut short",
        "bomb.png": "pixels",
        "locked.jpg": "Permission denied",
    }


def test_bad_images_are_listed_and_taken_once_they_are_repaired(
    facsimile: Shell, photos: Path, broken: dict[str, str]
) -> None:
    failures = facsimile.folder / "failures.jsonl"
    done = facsimile("ingest", photos, "--failures", failures, "--json", prefix=unprivileged())
    assert done.code == 1
    (tally,) = done.lines
    assert (tally["added"], tally["failed"]) == (5, len(broken))
    complaints = done.err.splitlines()
    listed = [orjson.loads(line) for line in failures.read_bytes().splitlines()]
    for name, reason in broken.items():
        assert any(f"{name}: " in line and reason in line for line in complaints)
        assert any(row["source"] == str(photos / name) and reason in row["reason"] for row in listed)
    assert (len(complaints), len(listed)) == (len(broken), len(broken))

    (photos / "locked.jpg").chmod(0o644)
    for number, name in enumerate(("empty.jpg", "text.jpg", "short.jpg", "bomb.png")):
        (photos / name).write_bytes((photos / "coffee.png").read_bytes() + bytes([number]))
    again = facsimile.json("ingest", failures, "--failures", failures)
    assert (again["added"], again["updated"], again["failed"]) == (4, 1, 0)
    assert failures.read_bytes() == b""


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("nothing", "there is no image in nothing"),
        ("words", "there is no image in words"),
        ("missing.jpg", "there is no missing.jpg"),
        ("*.tiff", "nothing matches *.tiff"),
        ("nowhere://photos", "nowhere://photos is no address that is known here"),
    ],
)
def test_a_source_without_images_ends_a_run_before_it_writes(
    embedded: Shell, source: str, sentence: str
) -> None:
    (embedded.folder / "nothing").mkdir()
    (embedded.folder / "words").mkdir()
    (embedded.folder / "words" / "notes.txt").write_text("no picture")
    done = embedded("ingest", source)
    assert (done.code, done.out) == (2 if "://" not in source else 1, "")
    assert done.complaint.startswith(sentence)
    assert embedded.count == 0


def test_names_of_any_bytes_are_told_on_one_line(embedded: Shell, photos: Path) -> None:
    shutil.copy(photos / "coffee.png", photos / "two\nlines.png")
    (photos / "bad\n\x1b[31m.jpg").touch()
    shutil.copy(os.fsencode(photos / "coffee.png"), os.fsencode(photos) + b"/caf\xe9.png")
    done = embedded("ingest", photos, "--json")
    assert (done.lines[0]["added"], done.lines[0]["failed"]) == (5, 2)
    named, other = sorted(done.err.splitlines())
    assert "bad\\n\\x1b[31m.jpg: the image has zero bytes" in named
    assert "caf\\udce9.png is not UTF-8: rename it" in other
    (match,) = embedded.json("search", photos / "coffee.png")["matches"]
    assert sorted(match["sources"]) == [str(photos / "coffee.png"), str(photos / "two\nlines.png")]
    assert "two\\nlines.png" in embedded("duplicates").out


def test_broken_rows_of_a_list_are_told_with_their_line(embedded: Shell, photos: Path) -> None:
    table = photos / "list.csv"
    table.write_bytes(b"source,title\ncoffee.png,cup\n,no source\nrocket.jpg,a,b,c\ngone.jpg,\nr\xe9.jpg,\n")
    done = embedded("ingest", table, "--json")
    assert (done.code, done.lines[0]["added"], done.lines[0]["failed"]) == (1, 1, 4)
    for part in (
        "line 3: no source",
        "line 4: 4 cells under 2 columns",
        "gone.jpg",
        "line 6: not UTF-8 text",
    ):
        assert part in done.err
    lines = photos / "list.jsonl"
    lines.write_text('{"source": "coffee.png"}\n{"source"\n[1]\n{"id": "x"}\n{"source": "chelsea.png"}\n')
    done = embedded("ingest", lines, "--json")
    assert (done.lines[0]["added"], done.lines[0]["unchanged"], done.lines[0]["failed"]) == (1, 1, 3)


def test_ids_may_hold_anything_but_too_much(facsimile: Shell, photos: Path) -> None:
    ids = ["a/b/../c", "ключ 鍵 🔑", "two\nlines", "-n", "x" * 512, "é" * 257]
    rows = [{"source": "coffee.png", "id": id} for id in ids]
    (photos / "list.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)))
    done = facsimile("ingest", photos / "list.jsonl", "--json")
    assert (done.lines[0]["added"], done.lines[0]["failed"]) == (5, 1)
    assert "512" in done.complaint
    found = facsimile.json("search", photos / "coffee.png")["matches"]
    assert {match["id"] for match in found} == set(ids[:5])
    assert facsimile("remove", "--json", "--", *ids[:5]).lines == [{"removed": 5}]


def test_a_bad_query_is_told_and_the_others_are_answered(
    embedded: Shell, photos: Path, broken: object
) -> None:
    embedded("ingest", photos / "coffee.png")
    done = embedded("search", photos / "empty.jpg", photos / "coffee.png", "id:nobody", "--json")
    assert done.code == 1
    answers = {Path(line["query"]).name: line for line in done.lines}
    assert answers["empty.jpg"]["error"] == "the image has zero bytes"
    assert answers["id:nobody"]["error"] == "there is no record with the id nobody"
    assert answers["coffee.png"]["matches"][0]["verdict"] == "identical"
    missing = embedded("search", "gone.jpg", "--json")
    assert (missing.code, missing.out, missing.complaint) == (2, "", "there is no gone.jpg")
    compared = embedded("compare", photos / "coffee.png", photos / "empty.jpg")
    assert compared.complaint == f"{photos / 'empty.jpg'}: the image has zero bytes"
