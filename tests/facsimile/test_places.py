"""Files that were moved, changed or removed since they were ingested, over both indices."""

from __future__ import annotations

import shutil
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from tests.facsimile.conftest import NAMES
from tests.support.shell import Shell


@pytest.fixture
def known(facsimile: Shell, photos: Path) -> Shell:
    """An index of the photographs."""
    facsimile.json("ingest", photos)
    return facsimile


def tagged(path: Path, title: str) -> None:
    """Write another title into a file, as programs for photographs do: other bytes, the same pixels."""
    with Image.open(path) as picture:
        exif = picture.getexif()
        exif[0x010E] = title
        picture.save(path, exif=exif)


def counts(shell: Shell, *args: object) -> dict[str, int]:
    tally = shell.json("ingest", *args)
    return {name: tally[name] for name in tally if name != "seconds" and tally[name]}


def matches(shell: Shell, picture: Path | bytes) -> list[tuple[str, str, list[str]]]:
    """The identical matches: name of the place, verdict, names of the places that are gone."""
    data = picture if isinstance(picture, bytes) else picture.read_bytes()
    found = shell.json("search", "-", stdin=data)["matches"]
    return [
        (Path(each["source"]).name, each["verdict"], [Path(place).name for place in each["gone"]])
        for each in found
        if each["verdict"] == "identical"
    ]


def test_a_file_that_was_moved_is_one_picture_at_its_new_place(known: Shell, photos: Path) -> None:
    (photos / "new").mkdir()
    (photos / "chelsea.png").rename(photos / "new" / "cat.png")
    assert counts(known, photos) == {"updated": 1, "unchanged": len(NAMES) - 1, "missing": 1}
    assert known("duplicates", "--json").lines == []
    assert matches(known, photos / "new" / "cat.png") == [("cat.png", "identical", ["chelsea.png"])]
    assert counts(known, photos) == {"unchanged": len(NAMES)}
    (photos / "new" / "cat.png").rename(photos / "chelsea.png")
    assert counts(known, photos) == {"updated": 1, "unchanged": len(NAMES) - 1, "missing": 1}
    assert matches(known, photos / "chelsea.png") == [("chelsea.png", "identical", ["cat.png"])]


def test_a_file_that_was_tagged_anew_is_no_duplicate_of_itself(known: Shell, photos: Path) -> None:
    before = (photos / "coffee.png").read_bytes()
    tagged(photos / "coffee.png", "a cup")
    done = known("ingest", photos)
    assert (done.code, done.err) == (0, "")
    assert "1 added, 0 updated, 4 unchanged, 0 failed" in done.out
    assert "1 source changed: other bytes now" in done.out and "--prune" in done.out
    assert known("duplicates", "--json").lines == []
    both = [("coffee.png", "identical", []), ("", "identical", ["coffee.png"])]
    assert matches(known, before) == matches(known, photos / "coffee.png") == both
    text = known("search", photos / "coffee.png").out
    assert "coffee.png (gone)" in text
    assert counts(known, photos, "--prune") == {"unchanged": len(NAMES), "removed": 1}
    assert matches(known, photos / "coffee.png") == [("coffee.png", "identical", [])]
    assert known.count == len(NAMES)


def test_a_file_that_was_replaced_is_no_longer_found_at_its_place(known: Shell, photos: Path) -> None:
    before = (photos / "chelsea.png").read_bytes()
    shutil.copy(photos / "rocket.jpg", photos / "chelsea.png")
    assert counts(known, photos) == {"updated": 1, "unchanged": len(NAMES) - 1, "changed": 1}
    assert matches(known, before) == [("", "identical", ["chelsea.png"])]
    (rocket,) = known("duplicates", "--json").lines
    assert rocket["places"] == 2


def test_what_is_no_picture_any_more_loses_its_place_too(known: Shell, photos: Path) -> None:
    before = (photos / "chelsea.png").read_bytes()
    (photos / "chelsea.png").write_text("words")
    done = known("ingest", photos, "--json")
    assert done.code == 1
    assert (done.lines[0]["failed"], done.lines[0]["changed"]) == (1, 1)
    assert matches(known, before) == [("", "identical", ["chelsea.png"])]


def test_a_file_that_was_removed_is_told_and_pruned_where_wanted(known: Shell, photos: Path) -> None:
    before = (photos / "chelsea.png").read_bytes()
    elsewhere = photos.parent / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(photos / "coffee.png", elsewhere / "coffee.png")
    known.json("ingest", elsewhere)
    for name in ("chelsea.png", "coffee.png"):
        (photos / name).unlink()
    assert counts(known, photos) == {"unchanged": len(NAMES) - 2, "missing": 2}
    assert matches(known, before) == [("", "identical", ["chelsea.png"])]
    assert known("duplicates", "--json").lines == []
    assert counts(known, photos, "--prune") == {"unchanged": len(NAMES) - 2, "removed": 1}
    assert matches(known, before) == []
    found = matches(known, elsewhere / "coffee.png")
    assert found == [("coffee.png", "identical", ["coffee.png"])]  # it is left elsewhere
    assert known.count == len(NAMES) - 1


def test_only_the_folder_and_the_collection_that_are_ingested_are_looked_at(
    known: Shell, photos: Path
) -> None:
    beside = photos.parent / "photos2"
    shutil.copytree(photos, beside)
    known.json("ingest", beside)
    known.json("ingest", photos, "-c", "other")
    for folder in (photos, beside):
        (folder / "chelsea.png").unlink()
    assert counts(known, photos) == {"unchanged": len(NAMES) - 1, "missing": 1}
    assert counts(known, photos / "coffee.png", "--prune") == {"unchanged": 1}
    assert counts(known, photos, "-c", "other", "--prune") == {
        "unchanged": len(NAMES) - 1, "missing": 1, "removed": 1
    }  # fmt: skip
    assert counts(known, beside, "--prune") == {"unchanged": len(NAMES) - 1, "missing": 1, "removed": 1}


def test_an_empty_folder_takes_nothing_away(known: Shell, photos: Path) -> None:
    """A disk that is not mounted leaves one."""
    for path in photos.iterdir():
        path.unlink()
    done = known("ingest", photos, "--prune")
    assert (done.code, "there is no image in" in done.complaint) == (2, True)
    assert known.count == len(NAMES)


def test_duplicates_never_keeps_a_file_that_is_gone(known: Shell, photos: Path) -> None:
    with Image.open(photos / "chelsea.png") as cat:
        for size in (2, 3):
            cat.reduce(size).save(photos / f"small{size}.png")
    shutil.copy(photos / "coffee.png", photos / "cup.png")
    known.json("ingest", photos)
    (photos / "chelsea.png").unlink()
    (photos / "cup.png").unlink()
    (told,) = known("duplicates", "--json").lines
    assert [Path(image["source"]).name for image in told["images"]] == ["small2.png", "small3.png"]
    assert told["keeper"]["id"] == told["images"][0]["id"]
    assert "chelsea.png (gone)" in known("search", photos / "small2.png").out
    for size in (2, 3):
        (photos / f"small{size}.png").unlink()
    (told,) = known("duplicates", "--json").lines
    assert (told["keeper"], told["why"]) == (None, None)
    assert "none of these files exists on this machine" in known("duplicates").out


def test_the_queue_takes_no_prune(embedded: Shell, photos: Path) -> None:
    done = embedded("ingest", photos, "--queue", "--prune")
    assert (done.code, "--prune" in done.complaint) == (2, True)


def test_what_an_export_tells_of_places_is_imported(known: Shell, photos: Path) -> None:
    before = (photos / "chelsea.png").read_bytes()
    (photos / "chelsea.png").unlink()
    known.json("ingest", photos)
    known("export", "records.jsonl")
    copy = known.on(known.index.rstrip("/") + "-copy")
    try:
        copy.json("import", "records.jsonl")
        assert matches(copy, before) == [("", "identical", ["chelsea.png"])]
    finally:
        copy("remove", "--collection", "default", "--yes")


def jpeg(picture: Image.Image, quality: int) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_an_edited_copy_with_more_bytes_is_not_kept_before_its_original(
    facsimile: Shell, photographs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    with Image.open(photographs / "chelsea.png") as cat:
        (folder / "photo.jpg").write_bytes(jpeg(cat, 70))
    with Image.open(folder / "photo.jpg") as photo:
        (folder / "a.jpg").write_bytes(jpeg(photo.point(lambda value: min(255, value + 8)), 98))
    facsimile.json("ingest", folder)
    (told,) = facsimile("duplicates", "--json").lines
    assert Path(told["images"][0]["source"]).name == "photo.jpg"
    assert told["why"].startswith("the oldest of the largest: ")
    assert facsimile("duplicates").out.startswith("2 places; keep the oldest of the largest: ")
