"""What is in a part of the query, or in its negative, is found over both indices."""

from __future__ import annotations

import dataclasses

import pytest
from PIL import Image, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.models import model
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.opening import signatures_of
from facsimile.search.match import Match, Verdict
from facsimile.search.params import SearchParams
from facsimile.search.proof import Policy
from tests.conformance.conftest import Place
from tests.support.pictures import encoded, photograph
from tests.support.records import filled

NETWORK = model("facsimile")

#: pictures that the index holds
STORED = ("astronaut.png", "chelsea.png", "coffee.png", "camera.png")


def described(picture: Image.Image) -> Description:
    return describe(encoded(picture, "JPEG", quality=85), model=NETWORK)


@pytest.fixture
def photographs(place: Place) -> Index:
    records = [ImageRecord.of(described(photograph(name, 800)), id=name) for name in STORED]
    return filled(place.create(signatures_of(NETWORK)), *records)


def asked(index: Index, picture: Image.Image, *, regions: bool = True, **request: object) -> dict[str, Match]:
    policy = dataclasses.replace(Policy(), regions=regions)
    finder = Finder(index, policy=policy, model=NETWORK)
    matches = finder.search(described(picture), SearchParams(**request))  # type: ignore[arg-type]
    return {match.record.id: match for match in matches}


def collage(*names: str) -> Image.Image:
    """Four square tiles without gutters."""
    page = Image.new("RGB", (1000, 1000))
    for place, name in enumerate(names):
        tile = ImageOps.fit(photograph(name, 800), (500, 500))
        page.paste(tile, (place % 2 * 500, place // 2 * 500))
    return page


def inset(name: str, share: float) -> Image.Image:
    """A picture upon another that the index does not hold."""
    ground = ImageOps.fit(photograph("rocket.jpg", 800), (1200, 800))
    picture = photograph(name, 800)
    width = round(1200 * share)
    ground.paste(picture.resize((width, round(width * picture.height / picture.width))), (1100 - width, 60))
    return ground


def test_the_pictures_of_a_collage_are_found(photographs: Index) -> None:
    page = collage("chelsea.png", "rocket.jpg", "hubble_deep_field.jpg", "coffee.png")
    found = asked(photographs, page)
    assert {"chelsea.png", "coffee.png"} <= found.keys()
    assert found.keys().isdisjoint({"astronaut.png", "camera.png"})
    assert found["chelsea.png"].transform["pasted"] is True
    assert "chelsea.png" not in asked(photographs, page, regions=False)


@pytest.mark.parametrize("share", [0.5, 1 / 3])
def test_a_picture_in_a_picture_is_found_and_proven(photographs: Index, share: float) -> None:
    found = asked(photographs, inset("chelsea.png", share))
    match = found["chelsea.png"]
    assert match.verdict is Verdict.COPY and match.proof is not None
    x, y, width, _ = match.proof.transformation.box
    assert (x, y, width) == pytest.approx((1100 / 1200 - share, 60 / 800, share), abs=0.03)


def test_a_picture_turned_on_a_plain_ground_is_found(photographs: Index) -> None:
    turned = photograph("coffee.png", 800).rotate(45, Image.Resampling.BICUBIC, expand=True)
    match = asked(photographs, turned)["coffee.png"]
    assert match.verdict is Verdict.COPY and match.proof is not None
    assert abs(match.proof.transformation.turned) == pytest.approx(45, abs=1)


def test_a_negative_is_found_and_says_so(photographs: Index) -> None:
    negative = ImageOps.invert(photograph("astronaut.png", 800))
    match = asked(photographs, ImageOps.mirror(negative))["astronaut.png"]
    assert (match.verdict, match.note) == (Verdict.COPY, "negative")
    assert "astronaut.png" not in asked(photographs, negative, regions=False)


def test_what_regions_find_is_filtered_and_limited(photographs: Index) -> None:
    page = inset("chelsea.png", 1 / 3)
    assert "chelsea.png" not in asked(photographs, page, collections=("elsewhere",))
    assert len(asked(photographs, collage(*STORED), limit=2)) == 2


def test_only_verified_searches_look_at_regions(photographs: Index) -> None:
    page = inset("chelsea.png", 1 / 3)
    assert "chelsea.png" not in asked(photographs, page, verify=False)


def test_regions_are_found_by_their_hashes_where_there_are_no_vectors(place: Place) -> None:
    record = ImageRecord.of(describe(encoded(photograph("chelsea.png", 800))), id="chelsea.png")
    index = filled(place.create(signatures_of(None)), record)
    query = describe(encoded(inset("chelsea.png", 0.5), "JPEG", quality=85))
    assert [match.verdict for match in Finder(index).search(query)] == [Verdict.COPY]


@pytest.fixture
def composites(place: Place) -> Index:
    """An index of composites and of a picture that none of them shows."""
    shown = {
        "collage": collage("chelsea.png", "rocket.jpg", "rocket.jpg", "coffee.png"),
        "inset": inset("astronaut.png", 1 / 3),
        "turned": photograph("camera.png", 800).rotate(30, Image.Resampling.BICUBIC, expand=True),
        "negative": ImageOps.invert(photograph("hubble_deep_field.jpg", 800)),
        "rocket": photograph("rocket.jpg", 800),
    }
    records = [ImageRecord.of(described(picture), id=name) for name, picture in shown.items()]
    return filled(place.create(signatures_of(NETWORK)), *records)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("chelsea.png", {"collage"}),
        ("astronaut.png", {"inset"}),
        ("camera.png", {"turned"}),
        ("hubble_deep_field.jpg", {"negative"}),
    ],
)
def test_stored_composites_are_found_by_what_they_show(
    composites: Index, name: str, expected: set[str]
) -> None:
    found = asked(composites, photograph(name, 800))
    assert found.keys() == expected
    assert all(match.verdict is Verdict.COPY for id, match in found.items() if id != "negative")
