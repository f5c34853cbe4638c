"""Copies within an index: what is a cluster, what is not, and which picture is to be kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, ImageDraw, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
from facsimile.imaging.record import ImageRecord
from facsimile.search.duplicates.cluster import Cluster
from facsimile.search.duplicates.clustering import clusters
from facsimile.search.duplicates.pairs import DuplicateRules
from facsimile.search.index.base import Index
from facsimile.search.index.opening import signatures_of
from facsimile.search.match import Verdict
from facsimile.search.query import Filter
from tests.conformance.conftest import Place
from tests.support.pictures import encoded, photograph
from tests.support.records import filled

NETWORK = model("facsimile")

Picture = Image.Image


def chelsea() -> Picture:
    return photograph("chelsea.png", 400)


def crop(picture: Picture) -> Picture:
    """The left upper part: 70 % of the width and of the height."""
    return picture.crop((0, 0, picture.width * 7 // 10, picture.height * 7 // 10))


def record(name: str, picture: Picture | bytes, collection: str = "photos") -> ImageRecord:
    data = picture if isinstance(picture, bytes) else encoded(picture)
    return ImageRecord.of(describe(data, model=NETWORK), id=name, collection=collection, source=f"/{name}")


def index_of(place: Place, *records: ImageRecord) -> Index:
    return filled(place.create(signatures_of(NETWORK)), *records)


def holding(place: Place, pictures: Mapping[str, Picture | bytes]) -> Index:
    return index_of(place, *(record(name, picture) for name, picture in pictures.items()))


def ids(cluster: Cluster) -> list[str]:
    return [each.id for each in cluster.records]


def found(index: Index, rules: DuplicateRules | None = None) -> list[list[str]]:
    """The ids of each cluster, the keeper first, the others by name."""
    return [[keeper, *sorted(others)] for keeper, *others in map(ids, clusters(index, None, rules))]


def test_crops_mirrored_copies_and_borders_join_the_picture_they_were_made_of(place: Place) -> None:
    others: dict[str, Any] = {
        name: photograph(name) for name in ("astronaut.png", "coffee.png", "rocket.jpg")
    }
    part = crop(chelsea())
    edits: dict[str, Any] = {
        "cat": photograph("chelsea.png", 450),
        "crop": part,
        "mirrored": ImageOps.mirror(chelsea()),
        "mirrored crop": ImageOps.mirror(part),
        "border": ImageOps.expand(chelsea().reduce(2), 20, "navy"),
        "small": encoded(chelsea().reduce(2), "JPEG", quality=40),
    }
    index = holding(place, {**others, **edits})
    assert found(index) == [["cat", "border", "crop", "mirrored", "mirrored crop", "small"]]
    (cluster,) = clusters(index)
    told = {image["id"]: image["relation"] for image in cluster.as_json()["images"]}
    assert told.pop("cat") is None
    assert {relation["to"]["id"] for relation in told.values()} == {"cat"}
    assert {relation["verdict"] for relation in told.values()} == {"copy"}
    assert "crop of" in told["crop"]["edit"] and "mirrored" not in told["crop"]["edit"]
    assert "crop of" in told["mirrored crop"]["edit"] and "mirrored" in told["mirrored crop"]["edit"]
    assert "pasted at" in told["border"]["edit"]
    assert told["crop"]["inliers"] >= 8 and told["crop"]["agreement"] > 0.92
    assert told["small"]["hamming"] <= 31 and told["small"]["cosine"] > 0.9


def test_without_geometry_only_the_hash_ties(place: Place) -> None:
    pictures = {"cat": chelsea(), "crop": crop(chelsea()), "small": chelsea().reduce(2)}
    assert found(holding(place, pictures), DuplicateRules(verify=False)) == [["cat", "small"]]


def banner(name: str) -> Picture:
    """One template, filled with another photograph each time."""
    page = Image.new("RGB", (600, 400), "navy")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 599, 90), fill="gold")
    draw.text((20, 15), "THE WEEKLY MARKET", fill="black", font_size=48)
    draw.text((20, 335), "every Saturday from 8 to 12", fill="white", font_size=36)
    page.paste(ImageOps.fit(photograph(name), (560, 210)), (20, 105))
    return page


def test_two_pictures_of_one_template_are_not_merged_but_shown_where_wanted(place: Place) -> None:
    index = holding(place, {name: banner(name) for name in ("chelsea.png", "rocket.jpg")})
    assert found(index) == []
    (pair,) = clusters(index, None, DuplicateRules(scenes=True))
    assert {each.id for each in pair.records} == {"chelsea.png", "rocket.jpg"}
    assert (pair.keeper, pair.why) == (None, "")
    told = pair.as_json()
    assert (told["keeper"], told["why"], told["note"]) == (None, None, "same template")
    assert told["images"][1]["relation"]["note"] == "same template"


def side_by_side(height: int, *pictures: Picture) -> Picture:
    parts = [picture.resize((picture.width * height // picture.height, height)) for picture in pictures]
    page = Image.new("RGB", (sum(part.width for part in parts), height))
    left = 0
    for part in parts:
        page.paste(part, (left, 0))
        left += part.width
    return page


def test_a_collage_does_not_tie_the_pictures_that_it_holds(place: Place) -> None:
    cat, cup = photograph("chelsea.png", 800), photograph("coffee.png", 800)
    collage = record("collage", side_by_side(250, cat, cup))
    index = index_of(place, record("cat", cat), collage)
    assert found(index) == [["collage", "cat"]]  # so the collage is a link between the two
    index = filled(index, record("cup", cup))
    assert found(index) == [["cup", "collage"]]


def test_a_collage_that_is_the_largest_keeps_what_it_holds(place: Place) -> None:
    cat, cup = photograph("chelsea.png", 800), photograph("coffee.png", 800)
    assert found(holding(place, {"cat": cat, "cup": cup, "collage": side_by_side(330, cat, cup)})) == [
        ["collage", "cat", "cup"]
    ]


def test_what_is_proven_through_a_whole_copy_of_the_keeper_stays_with_it(place: Place) -> None:
    pictures = {
        "large": photograph("astronaut.png", 512),
        "middle": photograph("astronaut.png", 300),
        "part": crop(photograph("astronaut.png", 300)),
    }
    assert found(holding(place, pictures)) == [["large", "middle", "part"]]


def jpeg(quality: int) -> bytes:
    return encoded(chelsea(), "JPEG", quality=quality)


@pytest.mark.parametrize(
    ("pictures", "keeper", "why"),
    [
        ({"a": jpeg(95), "b": photograph("chelsea.png", 450)}, "b", "the largest: 450x299, the next 400x266"),
        (
            {"cat_edited": chelsea(), "cat": jpeg(100)},
            "cat",
            "the largest one that is not named as a copy: cat, the next cat_edited",
        ),
        ({"a": jpeg(100), "b": chelsea()}, "b", "the largest one that is lossless: PNG, the next JPEG"),
        ({"b": jpeg(60), "a": jpeg(90)}, "b", "the oldest of the largest: "),
    ],
    ids=["size", "name", "format", "age"],
)
def test_the_keeper_is_the_largest_then_the_most_likely_original(
    place: Place, pictures: Mapping[str, Picture | bytes], keeper: str, why: str
) -> None:
    (cluster,) = clusters(holding(place, pictures))
    assert cluster.keeper is not None and cluster.keeper.id == keeper
    assert cluster.why.startswith(why)


def test_of_equal_ones_the_oldest_record_is_kept(place: Place) -> None:
    old = datetime(2020, 5, 17, 8, 30, tzinfo=UTC)
    newer, older = record("a", jpeg(80)), record("b", jpeg(80)).replaced(added_at=old)
    (cluster,) = clusters(index_of(place, newer, older))
    assert ids(cluster) == ["b", "a"]
    assert cluster.why.startswith("the oldest of the largest: 2020-05-17 08:30:00, the next ")
    assert cluster.members[1].match is not None
    assert cluster.members[1].match.verdict is Verdict.IDENTICAL


def test_one_record_with_two_sources_is_a_cluster(place: Place) -> None:
    twice = record("cat", chelsea()).replaced(sources=("/a.png", "/b.png"))
    (cluster,) = clusters(index_of(place, twice, record("cup", photograph("coffee.png"))))
    assert (ids(cluster), cluster.places, cluster.why) == (["cat"], 2, "the same bytes everywhere")


def test_records_and_places_that_are_gone_are_no_duplicates(place: Place) -> None:
    names = ("cat", "small", "cup", "twice")
    pictures = (chelsea(), chelsea().reduce(2), photograph("coffee.png"), photograph("rocket.jpg"))
    records = [record(*pair) for pair in zip(names, pictures, strict=True)]
    records[3] = records[3].replaced(sources=("/twice", "/once"))
    index = index_of(place, *records)
    assert found(index) == [["cat", "small"], ["twice"]]
    index.mark_gone({records[0].key: {"/cat"}, records[3].key: {"/once"}})
    index.refresh()
    assert found(index) == []
    assert clusters(index, None, DuplicateRules(scenes=True)) == []


def test_a_file_that_is_not_there_any_more_is_never_kept(place: Place) -> None:
    sizes = {"cat": chelsea(), "half": chelsea().reduce(2), "third": chelsea().reduce(3)}
    index = holding(place, sizes)

    def without(*gone: str) -> list[Cluster]:
        def locate(record: ImageRecord) -> ImageRecord:
            return record.replaced(gone=tuple(each for each in record.sources if each in gone))

        return clusters(index, locate=locate)

    (cluster,) = without("/cat")
    assert ids(cluster) == ["half", "third"]
    (nowhere,) = without("/cat", "/half", "/third")  # or on another machine
    assert (len(nowhere.records), nowhere.keeper, nowhere.why) == (3, None, "")


def test_a_filter_limits_both_sides(place: Place) -> None:
    index = index_of(place, record("a", chelsea()), record("b", chelsea().reduce(2), collection="crawl"))
    assert clusters(index, Filter(("photos",))) == []
    (cluster,) = clusters(index)
    assert [each.collection for each in cluster.records] == ["photos", "crawl"]


def blank(colour: str) -> bytes:
    out = BytesIO()
    Image.new("RGB", (200, 100), colour).save(out, "PNG")
    return out.getvalue()


def test_blank_pictures_are_duplicates_only_of_the_same_pixels(place: Place) -> None:
    pictures = {"white": blank("white"), "black": blank("black"), "white again": blank("white")}
    assert found(holding(place, pictures)) == [["white", "white again"]]


def test_records_whose_thumbnail_cannot_be_read_are_compared_by_hash(place: Place) -> None:
    damaged = record("cat", chelsea()).replaced(thumbnail=b"\xff\xd8 no picture")
    small = record("small", chelsea().reduce(2)).replaced(thumbnail=None)
    assert found(index_of(place, damaged, small)) == [["cat", "small"]]


def test_progress_tells_how_many_records_were_looked_at(place: Place) -> None:
    told: list[int] = []
    clusters(holding(place, {"cat": chelsea(), "cup": photograph("coffee.png")}), progress=told.append)
    assert told == [2]
