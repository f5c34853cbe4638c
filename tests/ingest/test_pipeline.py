"""The pipeline on a real index: what is added, left alone, told anew, or fails alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest

from facsimile.imaging.decode import Limits
from facsimile.imaging.phash import HASH_VERSION
from facsimile.imaging.record import Key
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import StageTimings, process
from facsimile.search.index.base import Index, Signatures, Status
from facsimile.search.index.embedded.index import EmbeddedIndex
from tests.support.pictures import synthetic
from tests.support.web_server import Web

ADDED, UPDATED, UNCHANGED, FAILED = Status.ADDED, Status.UPDATED, Status.UNCHANGED, Status.FAILED


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with EmbeddedIndex.create(tmp_path / "index", Signatures(hash=HASH_VERSION)) as made:
        yield made


@pytest.fixture
def loader() -> Iterator[Loader]:
    with Loader(FetchLimits(allow_private=True, attempts=1)) as made:
        yield made


def bring(items: list[Item], index: Index, loader: Loader, **options: object) -> list[Outcome]:
    outcomes = process(items, index=index, loader=loader, limits=Limits(), **options)  # type: ignore[arg-type]
    assert [outcome.item for outcome in outcomes] == [item.without_data() for item in items]
    index.refresh()
    return outcomes


def statuses(outcomes: list[Outcome]) -> list[Status]:
    return [outcome.status for outcome in outcomes]


def test_a_chunk_is_stored_and_a_second_time_nothing_is_read(
    photos: Path, index: Index, loader: Loader
) -> None:
    items = [Item(str(path)) for path in sorted(photos.rglob("[a-z].jp*g"))]
    first, second = StageTimings(), StageTimings()
    assert statuses(bring(items, index, loader, timings=first)) == [ADDED] * len(items)
    assert statuses(bring(items, index, loader, timings=second)) == [UNCHANGED] * len(items)
    assert index.count() == len(items)
    assert first.describe > 0
    assert first.load > 0
    assert first.write > 0


def test_each_bad_image_fails_alone_with_a_sentence(tmp_path: Path, index: Index, loader: Loader) -> None:
    (tmp_path / "good.jpg").write_bytes(synthetic(1))
    (tmp_path / "empty.jpg").write_bytes(b"")
    (tmp_path / "words.jpg").write_text("this is a text")
    (tmp_path / "cut.jpg").write_bytes(synthetic(2)[:-900])
    (tmp_path / "pipe.jpg").symlink_to("/dev/zero")
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "dangling.jpg").symlink_to("nowhere")
    names = ["empty", "words", "cut", "good", "pipe", "folder", "dangling", "missing"]
    outcomes = bring([Item(f"{tmp_path}/{name}.jpg") for name in names], index, loader)
    errors = {name: outcome.error for name, outcome in zip(names, outcomes, strict=True)}
    assert errors == {
        "empty": "EmptyImage",
        "words": "NotAnImage",
        "cut": "BrokenImage",
        "good": "",
        "pipe": "SourceUnreadable",
        "folder": "SourceUnreadable",
        "dangling": "SourceNotFound",
        "missing": "SourceNotFound",
    }
    assert all(outcome.reason for outcome in outcomes if outcome.status is FAILED)
    assert index.count() == 1


def test_a_file_over_the_limit_is_not_read_whole(tmp_path: Path, index: Index) -> None:
    with (tmp_path / "big.jpg").open("wb") as file:
        file.truncate(1 << 40)
    with Loader(FetchLimits(max_bytes=1000)) as loader:
        (outcome,) = bring([Item(f"{tmp_path}/big.jpg")], index, loader)
    assert (outcome.status, outcome.error) == (FAILED, "SourceTooLarge")


def test_the_same_bytes_in_two_places_are_one_record_with_two_sources(
    tmp_path: Path, index: Index, loader: Loader
) -> None:
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(synthetic(1))
    both = [Item(f"{tmp_path}/a.jpg"), Item(f"{tmp_path}/b.jpg")]
    assert statuses(bring(both, index, loader)) == [ADDED, UPDATED]
    assert statuses(bring(both[::-1], index, loader)) == [UNCHANGED, UNCHANGED]
    assert [record.sources for record in index.scan()] == [(both[0].source, both[1].source)]


def test_a_chunk_of_the_same_bytes_is_described_once_and_written_once(
    tmp_path: Path, index: Index, loader: Loader
) -> None:
    (tmp_path / "0.jpg").write_bytes(synthetic(1))
    for number in range(1, 48):
        (tmp_path / f"{number}.jpg").hardlink_to(tmp_path / "0.jpg")
    places = [Item(f"{tmp_path}/{number}.jpg") for number in range(48)]
    assert statuses(bring(places, index, loader)) == [ADDED, *[UPDATED] * 47]
    assert [record.sources for record in index.scan()] == [tuple(place.source for place in places)]
    assert statuses(bring(places, index, loader)) == [UNCHANGED] * 48


def test_rows_that_share_an_id_count_in_their_order(photos: Path, index: Index, loader: Loader) -> None:
    sources = [str(photos / name) for name in ("a.JPG", "b.jpg", "z.jpg")]
    rows = [Item(sources[number % 3], id="one", tags=(str(number),)) for number in range(12)]
    assert statuses(bring(rows, index, loader)) == [ADDED, *[UPDATED] * 11]
    (record,) = index.scan()
    assert (record.sources, record.tags) == ((sources[2],), ("11",))


def test_words_are_told_anew_and_silence_keeps_the_old(photos: Path, index: Index, loader: Loader) -> None:
    source = str(photos / "a.JPG")
    told = Item(source, id="x/1", title="A cat", tags=("pets",), metadata={"year": 1999})
    assert statuses(bring([told], index, loader)) == [ADDED]
    described = StageTimings()
    retold = Item(source, id="x/1", title="A dog")
    assert statuses(bring([retold], index, loader, timings=described)) == [UPDATED]
    assert statuses(bring([Item(source, id="x/1")], index, loader)) == [UNCHANGED]
    record = index.get([Key("default", "x/1")])[Key("default", "x/1")]
    assert (record.title, record.tags, dict(record.metadata)) == ("A dog", ("pets",), {"year": 1999})
    assert record.thumbnail


def test_other_bytes_under_the_same_id_replace_the_record(
    tmp_path: Path, index: Index, loader: Loader
) -> None:
    item = Item(f"{tmp_path}/a.jpg", id="one")
    for seed, expected in [(1, ADDED), (2, UPDATED), (2, UNCHANGED)]:
        (tmp_path / "a.jpg").write_bytes(synthetic(seed))
        assert statuses(bring([item], index, loader)) == [expected]
    assert index.count() == 1


def test_a_record_that_no_index_takes_fails_alone(photos: Path, index: Index, loader: Loader) -> None:
    source = str(photos / "a.JPG")
    items = [Item(source, id="x" * 513), Item(source, collection="no/name"), Item(source, id="good")]
    outcomes = bring(items, index, loader)
    assert statuses(outcomes) == [FAILED, FAILED, ADDED]
    assert "512" in outcomes[0].reason


def test_tenants_never_meet(photos: Path, index: Index, loader: Loader) -> None:
    source = str(photos / "a.JPG")
    items = [Item(source, id="same", collection="a"), Item(source, id="same", collection="b")]
    assert statuses(bring(items, index, loader)) == [ADDED, ADDED]
    assert index.collections() == {"a": 1, "b": 1}


def test_the_web_is_asked_once_for_an_image(web: Web, index: Index, loader: Loader) -> None:
    url, gone = web.serve("/a.jpg", synthetic(1)), web.url("/gone.jpg")
    outcomes = bring([Item(url), Item(gone)], index, loader)
    assert statuses(outcomes) == [ADDED, FAILED]
    assert outcomes[1].error == "FetchRejected"
    web.hits.clear()
    assert statuses(bring([Item(url)], index, loader)) == [UNCHANGED]
    assert statuses(bring([Item(url, title="A cat")], index, loader)) == [UPDATED]
    assert web.hits == []
    assert statuses(bring([Item(url, collection="other")], index, loader)) == [ADDED]
    assert statuses(bring([Item(url, id="mine")], index, loader)) == [ADDED]
    assert web.hits == ["/a.jpg"] * 2
    web.serve("/a.jpg", synthetic(2))
    assert statuses(bring([Item(url, id="mine")], index, loader, recheck=True)) == [UPDATED]
    assert len(web.hits) == 3


def test_object_stores_are_read(index: Index, loader: Loader) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/pipeline/a.jpg", synthetic(1))
    try:
        outcomes = bring([Item("memory://pipeline/a.jpg"), Item("memory://pipeline/b.jpg")], index, loader)
    finally:
        store.rm("/pipeline", recursive=True)
    assert statuses(outcomes) == [ADDED, FAILED]
    assert outcomes[1].error == "SourceNotFound"


def test_strangers_reach_no_files(photos: Path, index: Index) -> None:
    with Loader(files=False) as loader:
        items = [Item(str(photos / "a.JPG")), Item("memory://x/a.jpg"), Item("http://127.0.0.1/a.jpg")]
        outcomes = bring(items, index, loader)
    assert [outcome.error for outcome in outcomes] == ["SourceNotAllowed"] * 3


def test_bytes_in_hand_need_no_place(index: Index, loader: Loader) -> None:
    assert statuses(bring([Item("upload", data=synthetic(1))], index, loader)) == [ADDED]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"metadata": {"n": 2**64}}, "64 bits"),
        ({"metadata": {"n": float("nan")}}, "nan"),
        ({"metadata": {"a\0b": 1}}, "NUL"),
        ({"tags": ("x" * 9000,)}, "9000 bytes"),
        ({"id": "a\0b"}, "NUL"),
        ({"id": "\ud800"}, "surrogate"),
        ({"collection": "a/b"}, "collection"),
    ],
)
def test_an_item_that_no_index_takes_fails_before_it_is_read(
    web: Web, index: Index, loader: Loader, fields: dict[str, Any], reason: str
) -> None:
    asked: list[str] = []
    web.routes["/bad.jpg"] = lambda handler: asked.append(handler.path)
    good = Item("https://example.org/a.jpg", data=synthetic(1))
    bad, other = bring([Item(web.url("/bad.jpg"), **fields), good], index, loader)
    assert (bad.status, bad.error, bad.transient) == (FAILED, "InvalidRequest", False)
    assert reason in bad.reason
    assert (other.status, asked) == (ADDED, [])
