"""`ingest`, `remove` and `duplicates`: what goes in, what goes out, and what is in more than once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from facsimile.search.evaluation.attacks import attack
from tests.facsimile.conftest import NAMES
from tests.support.shell import Shell


def test_a_second_run_changes_nothing_and_a_third_adds_what_is_new(facsimile: Shell, photos: Path) -> None:
    first = facsimile.json("ingest", photos)
    assert first.pop("seconds") > 0
    places = {"changed": 0, "missing": 0, "removed": 0}
    assert first == {"added": len(NAMES), "updated": 0, "unchanged": 0, "failed": 0, **places}
    again = facsimile.json("ingest", photos)
    assert (again["added"], again["unchanged"]) == (0, len(NAMES))
    (photos / "new.jpg").write_bytes(attack((photos / "coffee.png").read_bytes(), "crop_50"))
    third = facsimile("ingest", photos)
    assert "1 added, 0 updated, 5 unchanged, 0 failed" in third.out
    assert (third.code, third.err, facsimile.count) == (0, "", len(NAMES) + 1)


def test_the_default_index_is_a_folder_where_one_works(embedded: Shell, photos: Path) -> None:
    here = embedded.on("")
    assert here.json("ingest", photos / "coffee.png")["added"] == 1
    assert (here.folder / "facsimile-index").is_dir()


def test_removing_by_id_and_by_collection(facsimile: Shell, photos: Path) -> None:
    facsimile.json("ingest", photos, "--collection", "mine")
    (match,) = facsimile.json("search", photos / "coffee.png")["matches"]
    assert facsimile.json("remove", match["id"]) == {"removed": 1}
    assert facsimile.json("search", photos / "coffee.png")["matches"] == []
    gone = facsimile("remove", match["id"])
    assert (gone.code, gone.err.splitlines()[0]) == (
        1,
        f"facsimile: there is no record with the id {match['id']}",
    )
    assert facsimile.json("remove", "--collection", "mine", "--yes") == {"removed": len(NAMES) - 1}
    assert facsimile.count == 0


def test_duplicates_are_the_same_bytes_in_two_places_and_edited_copies(
    facsimile: Shell, photos: Path
) -> None:
    (photos / "deep").mkdir()
    shutil.copy(photos / "rocket.jpg", photos / "deep" / "moon.jpg")
    for edit in ("flip", "jpeg_q30"):
        made = attack((photos / "chelsea.png").read_bytes(), edit)
        (photos / "deep" / f"cat.{edit}.jpg").write_bytes(made)
    facsimile.json("ingest", photos)
    done = facsimile("duplicates", "--json", "--html", "page.html")
    cats, rockets = done.lines
    assert (done.code, done.err) == (0, "")
    assert (cats["places"], rockets["places"]) == (3, 2)
    assert {Path(image["source"]).name for image in cats["images"]} == {
        *("chelsea.png", "cat.flip.jpg", "cat.jpeg_q30.jpg")
    }
    (rocket,) = rockets["images"]
    assert [Path(source).name for source in rocket["sources"]] == ["rocket.jpg", "moon.jpg"]
    assert "moon.jpg" in (facsimile.folder / "page.html").read_text()
    assert "2 images are stored more than once" in facsimile("duplicates").out


def test_a_closed_pipe_ends_a_search_quietly(embedded: Shell, photos: Path) -> None:
    embedded.json("ingest", photos)
    process = embedded.start("search", *sorted(photos.iterdir()) * 20, "--json")
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() != 0
    process.stderr.close()
    if process.stdin:
        process.stdin.close()


def test_the_demo_finds_its_edited_photographs(embedded: Shell) -> None:
    done = embedded("demo", "--output", "shown")
    assert done.code == 0
    picture = (embedded.folder / "shown" / "result.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    total = next(line for line in done.out.splitlines() if line.startswith("of "))
    searched, first, _, wrong = (int(word) for word in total.split()[1:])
    assert (first > 0.9 * searched, wrong) == (True, 0)


def test_a_manifest_made_of_words_updates_what_is_there(embedded: Shell, photos: Path) -> None:
    embedded.json("ingest", photos)
    (photos / "list.jsonl").write_text('{"source": "coffee.png", "title": "A cup", "year": 2021}\n')
    assert embedded.json("ingest", photos / "list.jsonl")["updated"] == 1
    (match,) = embedded.json("search", "--text", "cup")["matches"]
    assert match["metadata"] == {"year": 2021}


@pytest.mark.parametrize("name", ["photos/*.png", "photos/**/*.png"])
def test_a_pattern_stands_for_what_it_matches(embedded: Shell, photos: Path, name: str) -> None:
    assert embedded.json("ingest", name)["added"] == 3
