"""`duplicates`: the table, the lines and the page; and that it removes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageOps

from tests.support.html import Elements
from tests.support.shell import Shell

CRAWL = "crawl"


@pytest.fixture
def edited(embedded: Shell, photos: Path, tmp_path: Path) -> Shell:
    """An index of photographs, and in another collection a part and a small copy of the cat."""
    crawl = tmp_path / "crawl"
    crawl.mkdir()
    with Image.open(photos / "chelsea.png") as cat:
        cat.crop((0, 0, cat.width * 19 // 20, cat.height * 19 // 20)).save(crawl / "part.png")
        ImageOps.mirror(cat.reduce(2)).save(crawl / "small.jpg", quality=60)
    embedded.json("ingest", photos)
    embedded.json("ingest", crawl, "--collection", CRAWL)
    return embedded


def test_a_line_names_the_keeper_and_how_each_picture_was_proven(edited: Shell) -> None:
    before = edited.count
    told = edited.json("duplicates")
    keeper, *others = told["images"]
    assert Path(keeper["source"]).name == "chelsea.png"
    assert told["keeper"] == {"collection": "default", "id": keeper["id"]}
    assert told["why"] == "the largest: 451x300, the next 428x285"
    assert (keeper["hamming"], keeper["relation"], told["note"]) == (0, None, None)
    edits = {Path(image["source"]).name: image["relation"]["edit"] for image in others}
    assert "crop of 90 %" in edits["part.png"]
    assert "mirrored" in edits["small.jpg"]
    assert {image["relation"]["to"]["id"] for image in others} == {keeper["id"]}
    assert edited.count == before


def test_people_read_what_to_keep_and_why(edited: Shell) -> None:
    done = edited("duplicates")
    assert (done.code, done.err) == (0, "")
    head, keeper, *others, end = done.out.splitlines()
    assert head == "3 places; keep the largest: 451x300, the next 428x285"
    assert keeper.split()[0] == "keep" and keeper.rstrip().endswith("chelsea.png")
    assert len(others) == 2 and all("bits" in line and "inliers" in line for line in others)
    assert end == "1 image is stored more than once"


def test_within_one_collection_there_is_no_duplicate(edited: Shell) -> None:
    done = edited("duplicates", "--collection", "default", "--json")
    assert (done.code, done.out) == (0, "")
    assert edited("duplicates", "--collection", "nowhere").code == 2
    assert edited("duplicates", "--distance", "91").code == 2


def test_the_page_marks_the_keeper_and_filters_by_collection_without_a_program(edited: Shell) -> None:
    edited("duplicates", "--html", "page.html")
    page = Elements((edited.folder / "page.html").read_text(encoding="utf-8"))
    tags = [tag for tag, _ in page.elements]
    assert "script" not in tags and "b" not in tags
    assert [values["class"] for tag, values in page.elements if tag == "li" and "class" in values] == ["keep"]
    choices = [values for tag, values in page.elements if tag == "input"]
    assert [values.get("id") for values in choices] == [None, "only-0", "only-1"]
    assert CRAWL in page.text
    assert "the largest: 451x300, the next 428x285" in page.text


def test_files_are_moved_and_back_and_the_index_follows(edited: Shell, photos: Path) -> None:
    again = photos / "new" / "cat.png"
    again.parent.mkdir()
    again.write_bytes((photos / "chelsea.png").read_bytes())
    edited.json("ingest", photos)
    refused = edited("duplicates", "--action", "move", "--to", "away")
    assert refused.complaint == "name the folders in which files may change: --within FOLDER"
    asked = ("duplicates", "--action", "move", "--to", "away", "--within", photos, "--log", "log.jsonl")
    (told,) = edited(*asked, "--dry-run", "--json").lines
    assert told == {"action": "move", "path": str(again), "kept": str(photos / "chelsea.png")}
    assert edited(*asked).code == 2 and again.exists()
    assert edited(*asked, "--yes", "--json").lines == [{"done": 1, "refused": 0, "log": "log.jsonl"}]
    assert (edited.folder / "away" / "new" / "cat.png").exists() and not again.exists()
    assert edited.json("show", photos / "chelsea.png")["gone"] == [str(again)]
    assert edited.json("duplicates", "undo", "log.jsonl") == {"moved_back": 1, "refused": 0}
    assert again.exists()
    assert edited.json("show", again)["gone"] == []


def test_a_plan_is_edited_and_applied(edited: Shell, photos: Path, tmp_path: Path) -> None:
    crawl = tmp_path / "crawl"
    edited("duplicates", "--action", "delete", "--edited", "--reference", photos, "--plan", "plan.csv")
    plan = edited.folder / "plan.csv"
    text = plan.read_text(encoding="utf-8")
    assert text.count("delete") == 2 and "in a reference folder" in text
    plan.write_text(text.replace(f"delete,{crawl / 'small.jpg'}", f"keep,{crawl / 'small.jpg'}"))
    assert edited.json("duplicates", "apply", plan, "--within", crawl, "--yes", "--log", "l")["done"] == 1
    assert [path.name for path in crawl.iterdir()] == ["small.jpg"]
    assert (photos / "chelsea.png").exists()
