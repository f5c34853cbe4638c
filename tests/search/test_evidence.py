"""What two pictures have in common: overlays are copies; templates, other colours and other shots are not."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageFont, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.record import Description, ImageRecord
from facsimile.search.comparison import Comparison, compare
from facsimile.search.match import Verdict
from facsimile.search.proof import Policy, Proof
from facsimile.search.verifier import Verifier
from tests.support.pictures import encoded, photograph

Picture = Image.Image


def described(picture: Picture) -> Description:
    return describe(encoded(picture))


def proof(query: Picture, stored: Picture) -> Proof | None:
    return Verifier(described(query), Policy()).proof(ImageRecord.of(described(stored)))


def compared(query: Picture, stored: Picture) -> Comparison:
    return compare(described(stored), described(query))


def finding(query: Picture, stored: Picture) -> str | None:
    found = proof(query, stored)
    return found.finding if found else None


def form(name: str, street: str, city: str) -> Picture:
    """One form, filled in by different people."""
    page = Image.new("RGB", (700, 900), "white")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 0, 700, 90), "navy")
    draw.text((40, 25), "APPLICATION FOR A PERMIT", "white", ImageFont.load_default(36))
    for row, (label, value) in enumerate((("Name", name), ("Street", street), ("City", city)) * 3):
        top = 130 + 80 * row
        draw.rectangle((40, top, 660, top + 60), outline="black", width=2)
        draw.text((50, top + 4), label, "gray", ImageFont.load_default(16))
        draw.text((60, top + 22), value, "black", ImageFont.load_default(28))
    return page


def shirt(colour: str) -> Picture:
    page = Image.new("RGB", (500, 500), "white")
    outline = ((150, 60), (350, 60), (470, 170), (420, 230), (370, 190), (370, 450), (130, 450), (130, 190))
    ImageDraw.Draw(page).polygon((*outline, (80, 230), (30, 170)), fill=colour)
    return page


def clock(hour: float, minute: float) -> Picture:
    page = Image.new("RGB", (500, 500), "white")
    draw = ImageDraw.Draw(page)
    draw.ellipse((20, 20, 480, 480), outline="black", width=12)
    for number in range(1, 13):
        angle = np.pi * (number / 6 - 0.5)
        place = (250 + 190 * np.cos(angle), 250 + 190 * np.sin(angle))
        draw.text(place, str(number), "black", ImageFont.load_default(36), anchor="mm")
    for turn, length, width in ((hour / 12, 100, 14), (minute / 60, 160, 8)):
        angle = 2 * np.pi * turn - np.pi / 2
        end = (250 + length * np.cos(angle), 250 + length * np.sin(angle))
        draw.line((250, 250, *end), "black", width)
    return page


def captioned(picture: Picture, *lines: str) -> Picture:
    page = picture.copy()
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(picture.width // 12)
    for line, text in enumerate(lines):
        place = (page.width / 2, page.height * (2 * line + 1) / (2 * len(lines)))
        draw.text(place, text, "white", font, anchor="mm", stroke_width=3, stroke_fill="black")
    return page


def sticker(picture: Picture) -> Picture:
    page = picture.copy()
    side = picture.height // 4
    place = (side, side, 2 * side, 2 * side)
    ImageDraw.Draw(page).ellipse(place, fill="gold", outline="black", width=4)
    return page


def collage(picture: Picture) -> Picture:
    """Four pictures without gutters."""
    page = Image.new("RGB", (1000, 1000))
    others = [photograph(name) for name in ("astronaut.png", "rocket.jpg", "coffee.png")]
    for place, each in enumerate((picture, *others)):
        page.paste(ImageOps.fit(each, (500, 500)), (place % 2 * 500, place // 2 * 500))
    return page


def too_bright(picture: Picture) -> Picture:
    return picture.point(lambda value: min(255, round(1.6 * value)))


def cut_out(picture: Picture) -> Picture:
    """Its middle on black."""
    mask = Image.new("L", picture.size, 0)
    shares = ((0.2, 0.3), (0.45, 0.1), (0.8, 0.2), (0.9, 0.7), (0.5, 0.95), (0.15, 0.8))
    corners = [(picture.width * x, picture.height * y) for x, y in shares]
    ImageDraw.Draw(mask).polygon(corners, fill=255)
    return Image.composite(picture, Image.new("RGB", picture.size, "black"), mask)


COPIES: dict[str, Callable[[Picture], Picture]] = {
    "caption of three lines": lambda p: captioned(p, "WHEN YOU FIND IT", "AND IT WAS THERE", "ALL DAY LONG"),
    "caption of one line": lambda p: captioned(p, "", "", "it was there all day"),
    "sticker": sticker,
    "collage without gutters": collage,
    "cut out on black": cut_out,
    "clipped light": too_bright,
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(3)),
    "any turn": lambda p: p.rotate(31, Image.Resampling.BICUBIC, expand=True, fillcolor="white"),
    "gray": lambda p: p.convert("L").convert("RGB"),
    "sepia": lambda p: ImageOps.colorize(p.convert("L"), "#2b1b0a", "#ffe9c0"),
}


@pytest.mark.parametrize("edit", COPIES)
@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "astronaut.png"])
def test_a_photograph_with_something_over_it_or_beside_it_is_a_copy(edit: str, name: str) -> None:
    picture = photograph(name)
    assert finding(COPIES[edit](picture), picture) == "copy"


def test_an_overlay_is_measured() -> None:
    found = proof(captioned(photograph("coffee.png"), "", "", "NOBODY"), photograph("coffee.png"))
    assert found is not None and 0.01 < found.covered < 0.15


def test_the_tile_of_a_collage_is_where_the_picture_is() -> None:
    found = proof(collage(photograph("chelsea.png")), photograph("chelsea.png"))
    assert found is not None
    corners = np.array(found.as_json()["area"]["query"])
    assert corners.max() < 0.56 and corners.min() > -0.01


FORMS = [
    form("Anna Brandt", "Harbour Road 7", "Bergen"),
    form("Kofi Larbi", "Station Street 112", "Kumasi"),
]


@pytest.mark.parametrize(
    ("query", "stored"),
    [
        (FORMS[0], FORMS[1]),
        (clock(3, 52), clock(8, 17)),
        (clock(4, 10), clock(10, 50)),
    ],
    ids=["forms", "clocks", "other clocks"],
)
def test_pictures_of_one_template_are_no_copies(query: Picture, stored: Picture) -> None:
    found = compared(query, stored)
    assert found.match is None or found.match.verdict is Verdict.SIMILAR
    assert finding(query, stored) in (None, "same template", "same scene")


def test_a_blank_form_is_no_copy_of_one_that_is_filled_in() -> None:
    assert finding(form("", "", ""), FORMS[0]) != "copy"


def test_the_note_says_that_the_template_is_the_same() -> None:
    match = compared(*FORMS).match
    assert match is not None and (match.verdict, match.note) == (Verdict.SIMILAR, "same template")


@pytest.mark.parametrize(
    "colours", [("firebrick", "royalblue"), ("#222222", "firebrick"), ("green", "purple")]
)
def test_a_recoloured_part_is_no_copy(colours: tuple[str, str]) -> None:
    match = compared(shirt(colours[0]), shirt(colours[1])).match
    assert match is not None and (match.verdict, match.note) == (Verdict.SIMILAR, "recoloured")


def lamp(colour: str) -> Picture:
    """A large panel with one small lamp; both colours are equally bright."""
    page = Image.new("RGB", (600, 400), "#dddddd")
    draw = ImageDraw.Draw(page)
    for row in range(5):
        draw.rectangle((40, 40 + 70 * row, 420, 80 + 70 * row), outline="black", width=3)
        draw.text((60, 45 + 70 * row), f"ENGINE {row + 1} PRESSURE", "black", ImageFont.load_default(22))
    draw.rectangle((470, 50, 480, 60), fill=colour)
    return page


def test_a_small_lamp_of_another_colour_is_told() -> None:
    match = compared(lamp("#c80000"), lamp("#006600")).match
    assert match is not None and (match.verdict, match.note) == (Verdict.SIMILAR, "recoloured")


def test_the_same_shirt_stays_a_copy() -> None:
    match = compared(shirt("firebrick").resize((260, 260)), shirt("firebrick")).match
    assert match is not None and match.verdict is Verdict.COPY


def test_the_negative_of_a_photograph_is_a_copy_with_a_note() -> None:
    found = compared(ImageOps.invert(photograph("coffee.png")), photograph("coffee.png")).match
    assert found is not None and (found.verdict, found.note) == (Verdict.COPY, "negative")


def test_the_negative_of_a_drawing_is_similar() -> None:
    found = compared(ImageOps.invert(clock(4, 10)), clock(4, 10)).match
    assert found is None or found.verdict is Verdict.SIMILAR


def test_a_similar_picture_never_claims_certainty() -> None:
    for query, stored in ((FORMS[0], FORMS[1]), (shirt("red"), shirt("blue")), (clock(3, 52), clock(8, 17))):
        match = compared(query, stored).match
        assert match is None or match.score <= 0.5


def test_captions_of_two_on_one_picture_are_not_copies_of_each_other() -> None:
    base = photograph("coffee.png")
    first = captioned(base, "MONDAY MORNINGS", "", "BE LIKE")
    second = captioned(base, "NOBODY KNOWS", "", "WHO DID IT")
    assert finding(first, second) != "copy"
    assert finding(first, base) == finding(second, base) == "copy"


def second_shot(picture: Picture, pixels: float) -> Picture:
    """Turned by 4 degrees, with parts that moved against each other by so many pixels."""
    size = picture.size
    rows, columns = np.mgrid[: size[1], : size[0]].astype(np.float32)
    turn = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), 4, 1).astype(np.float32)
    across, down = columns / size[0] * 3 * np.pi, rows / size[1] * 3 * np.pi
    x = turn[0, 0] * columns + turn[0, 1] * rows + turn[0, 2] + pixels * np.sin(across) * np.cos(down)
    y = turn[1, 0] * columns + turn[1, 1] * rows + turn[1, 2] + pixels * np.cos(across + 1) * np.sin(down)
    pixels_of = np.asarray(picture.convert("RGB"))
    return Image.fromarray(np.asarray(cv2.remap(pixels_of, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REFLECT)))


@pytest.mark.parametrize("name", ["rocket.jpg", "coffee.png"])
def test_parts_that_moved_make_another_shot_though_their_pixels_agree(name: str) -> None:
    picture = photograph(name, 600)
    assert finding(second_shot(picture, 0), picture) == "copy"
    assert finding(second_shot(picture, 2), picture) == "same scene"
