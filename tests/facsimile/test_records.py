"""`list`, `show`, `collections`, `index delete`: what an index holds, and names that mean a record."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pictures import photo_jpeg
from tests.support.shell import Shell


@pytest.fixture(params=["embedded", pytest.param("elastic", marks=pytest.mark.service)])
def shell(request: pytest.FixtureRequest) -> Shell:
    return request.getfixturevalue(request.param)


@pytest.fixture
def photos(tmp_path: Path, shell: Shell) -> Path:
    """Three photographs that are stored by their bytes, one of them in two places, and one with an id."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for number in range(3):
        (folder / f"{number}.jpg").write_bytes(photo_jpeg(number))
    (folder / "again.jpg").write_bytes(photo_jpeg(0))
    (folder / "list.jsonl").write_text(
        '{"source": "2.jpg", "id": "people/Eileen", "title": "An astronaut", "tags": ["space"], "year": 1969}'
    )
    assert shell.json("ingest", folder, "--collection", "mine")["added"] == 3
    shell.json("ingest", folder / "list.jsonl", "--collection", "yours")
    return folder


def test_list(shell: Shell, photos: Path) -> None:
    lines = shell("list", "--json").lines
    assert [each["collection"] for each in lines] == ["mine", "mine", "mine", "yours"]
    assert sorted(len(each["sources"]) for each in lines) == [1, 1, 1, 2]
    assert [each["id"] for each in shell("list", "--collection", "yours", "--json").lines] == [
        "people/Eileen"
    ]
    assert [each["id"] for each in shell("list", "--filter", "tags=space", "--json").lines] == [
        "people/Eileen"
    ]
    assert len(shell("list", "--limit", 2, "--json").lines) == 2
    text = shell("list", "--collection", "mine")
    printed = text.out + text.err
    assert "and 1 more" in printed
    assert len(printed.splitlines()) == 3


@pytest.mark.parametrize("name", ["people/Eileen", "peop"])
def test_show_by_id_or_its_beginning(shell: Shell, photos: Path, name: str) -> None:
    found = shell.json("show", name)
    assert (found["id"], found["title"], found["metadata"]) == (
        "people/Eileen",
        "An astronaut",
        {"year": 1969},
    )
    done = shell("show", name)
    assert "An astronaut" in done.out + done.err


def test_show_by_path(shell: Shell, photos: Path) -> None:
    found = shell.json("show", photos / "again.jpg")
    assert sorted(found["sources"]) == [str(photos / "0.jpg"), str(photos / "again.jpg")]
    relative = (photos / "1.jpg").relative_to(shell.folder)
    assert shell.json("show", relative)["sources"] == [str(photos / "1.jpg")]
    prefix = found["sha256"][:10]
    assert shell.json("show", prefix)["id"] == found["id"]


def test_names_that_mean_no_record_or_several(shell: Shell, photos: Path) -> None:
    done = shell("show", "nothing")
    assert (done.code, "there is no record nothing" in done.complaint) == (1, True)
    assert shell("show", "peo").code == 1  # too short to be the beginning of an id
    both = shell("show", photos / "2.jpg")
    assert (both.code, "several records fit" in both.complaint) == (2, True)
    assert shell.json("show", photos / "2.jpg", "--collection", "yours")["id"] == "people/Eileen"


def test_collections(shell: Shell, photos: Path) -> None:
    assert shell("collections", "--json").lines == [
        {"collection": "mine", "images": 3},
        {"collection": "yours", "images": 1},
    ]


def test_delete_an_index(shell: Shell, photos: Path) -> None:
    refused = shell("index", "delete", stdin=b"n\n")
    assert refused.code != 0
    assert shell.count == 4
    assert shell.json("index", "delete", "--yes") == {"deleted": 4}
    assert shell("count").code == 2
    assert shell.json("ingest", photos)["added"] == 3


def test_the_version(shell: Shell) -> None:
    assert shell("-V").out == shell("--version").out
