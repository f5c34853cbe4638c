"""What a user may name, and which images come out of it."""

from __future__ import annotations

import os
from pathlib import Path

import fsspec
import pytest

from facsimile.ingest.errors import NothingFound, SourceNotAllowed, SourceNotFound
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.sources import all_items, count, items
from tests.support.pictures import synthetic


def names(source: str | Path, folder: Path) -> list[str]:
    return [
        str(Path(each.source).relative_to(folder)) for each in items(str(source)) if isinstance(each, Item)
    ]


def test_a_folder_gives_its_images_in_order_and_tells_what_it_passed_over(photos: Path) -> None:
    passed_over: list[str] = []
    found = list(items(str(photos), collection="c", passed_over=passed_over.append))
    expected = ["a.JPG", "b.jpg", "z.jpg", "deep/c.jpg", "deep/er/d.jpeg"]
    assert found == [Item(str(photos / name), collection="c") for name in expected]
    assert sorted(passed_over) == ["notes.txt", "thing.pdf"]


def test_images_are_counted_without_reading_them(photos: Path) -> None:
    assert count([str(photos), str(photos / "b.jpg")]) == 6
    assert count([str(photos), "https://example.org/a.jpg"]) is None
    assert count([str(photos / "photos.zip")]) is None


def test_links_that_lead_in_circles_end(photos: Path) -> None:
    (photos / "deep" / "up").symlink_to(photos)
    (photos / "loop").symlink_to(photos / "loop")
    (photos / "also").symlink_to(photos / "deep")
    assert len(names(photos, photos)) == 5


def test_a_link_to_an_image_counts(photos: Path) -> None:
    (photos / "link.jpg").symlink_to(photos / "a.JPG")
    assert "link.jpg" in names(photos, photos)


def test_a_file_that_is_named_is_always_tried(photos: Path) -> None:
    assert names(photos / "deep" / "thing.pdf", photos) == ["deep/thing.pdf"]
    assert names(photos / ".f.jpg", photos) == [".f.jpg"]


def test_a_relative_name_is_stored_absolute(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(photos)
    assert names("deep/c.jpg", photos) == ["deep/c.jpg"]
    assert names(f"file://{photos}/b.jpg", photos) == ["b.jpg"]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ["b.jpg", "z.jpg"]),
        ("*", ["a.JPG", "b.jpg", "deep/c.jpg", "deep/er/d.jpeg", "z.jpg"]),
        ("**", ["a.JPG", "b.jpg", "deep/c.jpg", "deep/er/d.jpeg", "z.jpg"]),
        ("**/*.jp*g", ["b.jpg", "deep/c.jpg", "deep/er/d.jpeg", "z.jpg"]),
        ("de*/[a-c].jpg", ["deep/c.jpg"]),
    ],
)
def test_globs(photos: Path, pattern: str, expected: list[str]) -> None:
    assert names(photos / pattern, photos) == expected


def test_a_name_with_the_signs_of_a_glob_is_a_name_first(photos: Path) -> None:
    (photos / "a[1].jpg").write_bytes(synthetic(1))
    assert names(photos / "a[1].jpg", photos) == ["a[1].jpg"]


def test_names_with_line_breaks_and_of_other_scripts_are_taken(tmp_path: Path) -> None:
    for name in ("line\nbreak.jpg", "зображення.jpg", "空.jpg"):
        (tmp_path / name).write_bytes(synthetic(1))
    assert sorted(names(tmp_path, tmp_path)) == ["line\nbreak.jpg", "зображення.jpg", "空.jpg"]


def test_a_name_that_is_not_utf8_fails_alone(photos: Path) -> None:
    Path(os.fsdecode(os.fsencode(photos) + b"/caf\xe9.jpg")).write_bytes(synthetic(1))
    failed = [each for each in items(str(photos)) if isinstance(each, Outcome)]
    assert len(failed) == 1
    assert "caf\\udce9.jpg" in failed[0].reason
    failed[0].reason.encode()
    assert len(names(photos, photos)) == 5


@pytest.mark.parametrize("source", ["/no/such/place", "no-such-*.jpg", "memory://nothing/here", "a\0b"])
def test_what_is_missing_is_said_at_once(source: str) -> None:
    with pytest.raises(SourceNotFound):
        next(items(source))


def test_an_empty_folder_and_one_without_images_are_no_silence(tmp_path: Path) -> None:
    with pytest.raises(NothingFound, match="no image"):
        list(items(str(tmp_path)))
    (tmp_path / "notes.md").write_text("words")
    with pytest.raises(NothingFound) as nothing:
        list(items(str(tmp_path)))
    assert nothing.value.exit_code == 2


def test_a_mistyped_source_is_said_before_the_first_image_comes(photos: Path) -> None:
    stream = all_items([str(photos), str(photos / "missing")])
    with pytest.raises(SourceNotFound):
        next(stream)
    twice = list(all_items([str(photos), str(photos / "b.jpg")]))
    assert len(twice) == 6


def test_a_web_address_is_one_item_and_nothing_is_fetched_yet() -> None:
    assert list(items("https://example.invalid/a.jpg")) == [Item("https://example.invalid/a.jpg")]


@pytest.mark.parametrize("source", ["nonsense://a/b.jpg", "simplecache::http://10.0.0.1/a.jpg"])
def test_addresses_of_unknown_kind_are_refused(source: str) -> None:
    with pytest.raises(SourceNotAllowed):
        list(items(source))


def test_an_object_store_is_read_like_a_folder() -> None:
    store = fsspec.filesystem("memory")
    for name in ("b.jpg", "a.jpg", "x/c.png", "x/readme.md", ".hidden/d.jpg"):
        store.pipe(f"/bucket/{name}", b"bytes")
    try:
        found = [each.source for each in items("memory://bucket") if isinstance(each, Item)]
        assert found == [f"memory:///bucket/{name}" for name in ("a.jpg", "b.jpg", "x/c.png")]
        assert list(items("memory://bucket/a.jpg")) == [Item("memory://bucket/a.jpg")]
        store.pipe("/bucket/list.txt", b"a.jpg\nx/c.png\n")
        listed = [each.source for each in items("memory://bucket/list.txt") if isinstance(each, Item)]
        assert listed == ["memory://bucket/a.jpg", "memory://bucket/x/c.png"]
    finally:
        store.rm("/bucket", recursive=True)
