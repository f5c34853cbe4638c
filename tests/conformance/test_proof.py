"""A search with proof: the same verdicts, areas and notes from both indices."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from PIL import Image, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
from facsimile.imaging.record import ImageRecord
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.opening import signatures_of
from facsimile.search.match import Verdict
from facsimile.search.params import SearchParams
from facsimile.search.proof import Policy
from tests.conformance.conftest import Place
from tests.support.pictures import NAMES, encoded, photograph
from tests.support.records import filled

NETWORK = model("facsimile")


@pytest.fixture
def photographs(place: Place) -> Index:
    """An index of real photographs, described by the bundled network."""
    described = {name: describe(encoded(photograph(name, 800)), model=NETWORK) for name in NAMES}
    records = [ImageRecord.of(description, id=name) for name, description in described.items()]
    return filled(place.create(signatures_of(NETWORK)), *records)


def test_a_mirrored_crop_becomes_a_copy_with_its_area(photographs: Index) -> None:
    picture = photograph("chelsea.png", 800)
    part = picture.crop((picture.width // 4, 0, picture.width, 3 * picture.height // 4))
    query = describe(encoded(ImageOps.mirror(part)), model=NETWORK)
    blind = Finder(photographs).search(query, SearchParams(verify=False))
    assert [(match.verdict, match.proof) for match in blind[:1]] == [(Verdict.SIMILAR, None)]
    first, *others = Finder(photographs).search(query)
    assert (first.record.id, first.verdict, first.edit) == (
        "chelsea.png",
        Verdict.COPY,
        "crop of 56 %, mirrored",
    )
    assert first.proof is not None
    told = first.as_json()
    assert told["inliers"] == first.proof.inliers > 20
    left = min(x for x, _ in told["proof"]["area"]["stored"])
    assert left == pytest.approx(0.25, abs=0.02)
    assert not any(match.verdict is Verdict.COPY for match in others)


def test_what_is_not_reached_in_time_is_a_copy_only_where_the_hash_leaves_hardly_a_doubt(
    photographs: Index,
) -> None:
    near = describe(encoded(photograph("coffee.png", 800).reduce(2), "JPEG", quality=20), model=NETWORK)
    far = describe(encoded(ImageOps.posterize(photograph("coffee.png", 800), 1)), model=NETWORK)
    late = Finder(photographs, policy=Policy(seconds=0))
    (first, *_) = late.search(near)
    assert (first.record.id, first.verdict, first.proof) == ("coffee.png", Verdict.COPY, None)
    (first, *_) = late.search(far)
    assert first.hamming is not None and Policy().hash_alone < first.hamming <= 48
    assert (first.record.id, first.verdict, first.proof) == ("coffee.png", Verdict.SIMILAR, None)
    (first, *_) = Finder(photographs).search(near)
    assert first.verdict is Verdict.COPY and first.proof is not None


def test_what_lies_beyond_the_answer_is_only_there_when_proven(photographs: Index) -> None:
    for name in ("astronaut.png", "camera.png"):
        query = describe(encoded(photograph(name, 800).rotate(35)), model=NETWORK)
        blind = Finder(photographs).search(query, SearchParams(verify=False))
        proven = Finder(photographs).search(query)
        assert [match.record.id for match in proven if match.verdict is Verdict.COPY] == [name]
        assert {match.record.id for match in proven} - {name} <= {match.record.id for match in blind}


def test_a_picture_in_a_page_is_found_by_its_own_hash_and_proven(photographs: Index) -> None:
    shot = Image.new("RGB", (1200, 900), "white")
    shot.paste(photograph("chelsea.png", 360), (60, 200))
    shot.paste(photograph("coffee.png", 800).rotate(20).resize((300, 200)), (800, 100))  # not in the index so
    query = describe(encoded(shot, "JPEG", quality=80), model=NETWORK)
    blind = Finder(photographs).search(query, SearchParams(verify=False))
    assert "chelsea.png" not in {match.record.id for match in blind if match.verdict is Verdict.COPY}
    first = Finder(photographs).search(query)[0]
    assert (first.record.id, first.verdict) == ("chelsea.png", Verdict.COPY)
    assert first.proof is not None and first.transform.get("pasted")
    x, y, width, _ = first.proof.transformation.box
    assert (x, y, width) == pytest.approx((60 / 1200, 200 / 900, 360 / 1200), abs=0.02)


def test_a_part_proves_nothing_by_its_hash_alone(photographs: Index) -> None:
    shot = Image.new("RGB", (1200, 900), "white")
    shot.paste(photograph("chelsea.png", 500), (60, 200))
    shot.paste(photograph("coffee.png", 800).rotate(20).resize((300, 200)), (800, 100))
    query = describe(encoded(shot, "JPEG", quality=80), model=NETWORK)
    unable = Finder(photographs, policy=dataclasses.replace(Policy(), seconds=0))
    (first, *_) = [match for match in unable.search(query) if match.record.id == "chelsea.png"]
    assert first.verdict is Verdict.SIMILAR and first.hamming is not None and first.hamming <= 48


@pytest.fixture
def pages(place: Place) -> Index:
    """An index, by hashes alone, of a page that shows two photographs, its mirror image and a photograph."""
    shot = Image.new("RGB", (1200, 900), "white")
    shot.paste(photograph("chelsea.png", 500), (60, 200))
    shot.paste(photograph("astronaut.png", 480), (660, 300))
    shown = {"page": shot, "mirrored": ImageOps.mirror(shot), "camera": photograph("camera.png", 800)}
    records = [
        ImageRecord.of(describe(encoded(picture, "JPEG", quality=80)), id=name)
        for name, picture in shown.items()
    ]
    return filled(place.create(signatures_of(None)), *records)


@pytest.mark.parametrize("name", ["chelsea.png", "astronaut.png"])
def test_a_stored_page_is_found_by_a_picture_in_it_and_proven(pages: Index, name: str) -> None:
    query = describe(encoded(photograph(name, 800)))
    assert Finder(pages).search(query, SearchParams(verify=False)) == []
    found = {match.record.id: match for match in Finder(pages).search(query)}
    assert found.keys() == {"page", "mirrored"}
    for id, match in found.items():
        assert match.verdict is Verdict.COPY and match.proof is not None
        assert match.proof.transformation.mirrored is (id == "mirrored")
        assert match.transform["cut_out"] is True and "pasted" not in match.transform
    assert found["mirrored"].transform["orientation"] == "flip-horizontal"


def test_a_panel_proves_nothing_by_its_hash_alone(pages: Index) -> None:
    query = describe(encoded(photograph("chelsea.png", 800)))
    unable = Finder(pages, policy=dataclasses.replace(Policy(), seconds=0)).search(query)
    told = Finder(pages).search(query, SearchParams(verify=False, panels=True))
    for match in unable + told:
        assert match.verdict is Verdict.SIMILAR and match.hamming is not None and match.hamming <= 48
        assert "cut out" in match.edit
    assert (
        {match.record.id for match in unable} == {match.record.id for match in told} == {"page", "mirrored"}
    )


def test_pages_are_asked_for_copies_in_the_ways_that_pages_show_them(pages: Index) -> None:
    for turned in (90, 180):
        query = describe(encoded(photograph("chelsea.png", 800).rotate(turned, expand=True)))
        assert Finder(pages).search(query, SearchParams(verify=False, panels=True)) == []
    query = describe(encoded(photograph("chelsea.png", 800)))
    (upright,) = Finder(pages).search(
        query, SearchParams(verify=False, panels=True, orientations=("upright",))
    )
    assert upright.record.id == "page"


@pytest.mark.service
def test_both_indices_tell_the_same_of_pages(place_of: Callable[[str], Place]) -> None:
    pictures = [photograph(name, 400) for name in NAMES]
    shots = []
    for number in range(24):
        shot = Image.new("RGB", (900, 640), ("white", "black", "navy")[number % 3])
        for at, place in enumerate(((20, 20), (460, 40), (30, 340), (480, 350))):
            shot.paste(
                pictures[(number * (at + 1) + at) % len(pictures)].reduce(1 + (number + at) % 2), place
            )
        shots.append(describe(encoded(shot, "JPEG", quality=60 + number), model=NETWORK))
    queries = [describe(encoded(picture), model=NETWORK) for picture in pictures] + shots[:4]
    answers = []
    for kind in ("embedded", "elastic"):
        records = [ImageRecord.of(shot, id=f"{number:02}") for number, shot in enumerate(shots)]
        index = filled(place_of(kind).create(signatures_of(NETWORK)), *records)
        request = SearchParams(limit=100, verify=False, panels=True, probes="all")
        answers.append(
            [
                [
                    (match.record.id, match.verdict, match.hamming, match.score, dict(match.transform))
                    for match in found
                ]
                for found in Finder(index).search_many(queries, request)
            ]
        )
    assert answers[0] == answers[1]
    assert sum("cut_out" in match[4] for found in answers[0] for match in found) >= 12
