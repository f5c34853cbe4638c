"""Pictures of one fixed scene with other contents are no copies, whatever most of the pixels say."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.record import ImageRecord
from facsimile.search.proof import Policy
from facsimile.search.verifier import Verifier
from tests.support.pictures import encoded, photograph

Picture = Image.Image
Colour = tuple[int, int, int]

MEMBERS = 3
SIZE = (640, 480)


def is_copy(query: Picture, stored: Picture) -> bool:
    asked, record = (describe(encoded(picture, "JPEG", quality=88)) for picture in (query, stored))
    found = Verifier(asked, Policy()).proof(ImageRecord.of(record))
    return found is not None and found.finding == "copy"


def scene(name: str) -> Picture:
    return ImageOps.fit(photograph(name, 640), SIZE)


def colour(rng: random.Random) -> Colour:
    return rng.randint(0, 255), rng.randint(0, 255), rng.randint(0, 255)


def street(rng: random.Random) -> Picture:
    """A camera over a street: cars at other places."""
    page = scene("rocket.jpg")
    draw = ImageDraw.Draw(page)
    draw.rectangle((0, 290, 640, 480), "#555555")
    for _ in range(rng.randint(2, 3)):
        x, y = rng.randint(0, 500), rng.randint(290, 400)
        draw.rounded_rectangle((x, y, x + 130, y + 50), 18, colour(rng))
        for wheel in (16, 88):
            draw.ellipse((x + wheel, y + 36, x + wheel + 28, y + 64), "black")
    return page


def game(rng: random.Random) -> Picture:
    """A game's picture with its bars, map and inventory: other values."""
    page = street(random.Random("scene"))
    draw = ImageDraw.Draw(page)
    draw.rectangle((10, 420, 220, 470), "#202020", "#cccccc", 3)
    draw.rectangle((16, 426, 16 + rng.randint(30, 190), 442), "#d02020")
    draw.rectangle((16, 448, 16 + rng.randint(30, 190), 464), "#2050d0")
    draw.ellipse((520, 10, 630, 120), "#304030", "#cccccc", 4)
    for _ in range(4):
        x, y = rng.randint(540, 600), rng.randint(30, 95)
        draw.ellipse((x, y, x + 9, y + 9), colour(rng))
    draw.text((300, 16), str(rng.randint(0, 99999)).zfill(5), "yellow", ImageFont.load_default(36))
    return page


def weather(rng: random.Random) -> Picture:
    """A map with other signs and temperatures at the same places."""
    page, places = scene("hubble_deep_field.jpg"), random.Random("places")
    draw = ImageDraw.Draw(page)
    for _ in range(9):
        x, y = places.randint(20, 560), places.randint(20, 400)
        if rng.random() < 0.5:
            draw.ellipse((x, y, x + 36, y + 36), "#ffd700", "#cc8800")
        else:
            draw.ellipse((x, y + 8, x + 50, y + 36), "#dddddd", "#888888")
        degrees = f"{rng.randint(-9, 38)}°"
        draw.text((x, y + 38), degrees, "white", ImageFont.load_default(24))
    return page


def shelf(rng: random.Random) -> Picture:
    """A shelf on which two of twelve things were exchanged."""
    page, kept = Image.new("RGB", SIZE, "#ccaaaa"), random.Random("shelf")
    draw = ImageDraw.Draw(page)
    for place in range(12):
        source = rng if place in (2, 9) else kept
        left, floor = 20 + place % 6 * 103, 190 + place // 6 * 215
        width, height = source.randint(46, 88), source.randint(80, 150)
        draw.rectangle((left, floor - height, left + width, floor), colour(source), "black")
        side = source.randint(20, 40)
        draw.ellipse((left + 4, floor - 60, left + 4 + side, floor - 60 + side), colour(source), "black")
    for y in (190, 405):
        draw.rectangle((0, y, 640, y + 24), "#886644")
    return page


def wall(rng: random.Random) -> Picture:
    """One room with another picture in the frame on its wall, and a clock."""
    page = scene("chelsea.png")
    draw = ImageDraw.Draw(page)
    draw.rectangle((380, 30, 580, 190), "#5a3a1a")
    sky = scene("hubble_deep_field.jpg")
    left, top = rng.randint(0, 400), rng.randint(0, 300)
    page.paste(sky.crop((left, top, left + 180, top + 140)), (390, 40))
    time = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"
    draw.text((20, 20), time, "white", ImageFont.load_default(64), stroke_width=3, stroke_fill="black")
    return page


def poster(rng: random.Random) -> Picture:
    """One poster with the portrait and the name of another guest."""
    page = scene("coffee.png")
    guest = ("astronaut.png", "camera.png", "chelsea.png")[rng.randrange(3)]
    page.paste(ImageOps.fit(photograph(guest), (150, 150)), (240, 110))
    draw = ImageDraw.Draw(page)
    name = "".join(rng.choice("ABCDEFGHIKLMNOPRSTU") for _ in range(9))
    draw.text((315, 320), name, "yellow", ImageFont.load_default(48), anchor="mm", stroke_width=2)
    return page


@pytest.mark.parametrize("kind", [street, game, weather, shelf, wall, poster])
def test_other_contents_in_one_scene_are_no_copies(kind: Callable[[random.Random], Picture]) -> None:
    members = [kind(random.Random(f"{kind.__name__} {member}")) for member in range(MEMBERS)]
    for one, other in itertools.permutations(range(MEMBERS), 2):
        assert not is_copy(members[one], members[other]), (one, other)


@pytest.mark.parametrize("kind", [game, poster])
def test_a_caption_over_a_scene_leaves_it_a_copy(kind: Callable[[random.Random], Picture]) -> None:
    picture = kind(random.Random("captioned"))
    covered = picture.copy()
    draw, font = ImageDraw.Draw(covered), ImageFont.load_default(40)
    for line, text in enumerate(("NOBODY EXPECTED THIS", "until one day", "IT WAS THERE")):
        place = (320, 70 + 160 * line)
        draw.text(place, text, "white", font, anchor="mm", stroke_width=3, stroke_fill="black")
    assert is_copy(covered, picture)
