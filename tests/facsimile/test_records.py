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
    printed = text.out
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


def test_remove_by_path_folder_glob_and_beginning_of_an_id(shell: Shell, photos: Path) -> None:
    dry = shell("remove", photos / "again.jpg", "--dry-run")
    assert dry.out.splitlines()[-1] == "0 would be removed, and 1 place of records that have others"
    assert shell.json("remove", photos / "again.jpg") == {"removed": 0, "places": 1}
    assert shell.json("show", photos / "0.jpg")["sources"] == [str(photos / "0.jpg")]
    assert shell.json("remove", photos / "0.jpg") == {"removed": 1}
    first = shell("list", "--collection", "mine").out.split()[0]
    assert len(first) < 20
    assert shell.json("remove", first) == {"removed": 1}
    assert shell.json("remove", photos / "*.jpg", "--dry-run")["would_remove"] == 2
    assert shell.json("remove", photos, "--collection", "mine") == {"removed": 1}
    done = shell("remove", photos / "*.gif")
    assert (done.code, done.complaint) == (1, f"no stored image lies at {photos / '*.gif'}")


def test_a_collection_is_removed_after_a_question(shell: Shell, photos: Path) -> None:
    done = shell("remove", "--collection", "mine")
    assert done.complaint == "Delete the collection mine with 3 images? Confirm it with --yes"
    assert (done.code, shell.count) == (2, 4)
    assert shell.json("remove", "--collection", "mine", "--dry-run") == {"would_remove": 3}
    assert shell.json("remove", "--collection", "mine", "--yes") == {"removed": 3}


def test_a_stored_image_is_searched_by_its_path(shell: Shell, photos: Path) -> None:
    found = shell.json("search", f"id:{photos / '1.jpg'}", "--no-verify")
    assert "1.jpg" not in str(found["matches"])  # a stored image does not find itself
    done = shell("search", f"id:{photos / '2.jpg'}")
    assert (done.code, "several records fit" in done.err) == (1, True)


def test_a_named_index_lies_in_the_data_folder(embedded: Shell, photos: Path, tmp_path: Path) -> None:
    named = embedded.on("@photos").having(FACSIMILE_DATA_FOLDER=str(tmp_path / "data"))
    done = named("list")
    assert "`facsimile ingest PHOTOS` makes one" in done.complaint
    named.json("ingest", photos)
    assert (tmp_path / "data" / "photos").is_dir()
    assert named("count", "--index", "@../photos").code == 2


def test_values_are_completed(shell: Shell, photos: Path) -> None:
    words = {"_FACSIMILE_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    done = shell.having(**words, COMP_WORDS="facsimile list --collection ")()
    assert done.out.split() == ["mine", "yours"]
    done = shell.having(**words, COMP_WORDS="facsimile findings --state o")()
    assert done.out.split() == ["open"]
