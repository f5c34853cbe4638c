"""Regions: tiles and insets by their seams, pictures turned on a plain ground."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from facsimile.imaging.describe import describe
from facsimile.imaging.margins import Box
from facsimile.imaging.phash import bits_of, negative
from facsimile.imaging.regions import MOST_REGIONS, describe_regions
from facsimile.imaging.seams import rectangles
from facsimile.imaging.tilt import tilt
from tests.support.pictures import NAMES, encoded, photograph


def raster(picture: Image.Image) -> np.ndarray:
    picture = picture.copy()
    picture.thumbnail((320, 320))
    return np.asarray(picture)


def overlap(first: Box, second: Box) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (first, second)]
    common = max(width, 0) * max(height, 0)
    return common / (sum(areas) - common)


@pytest.mark.parametrize("name", ["astronaut.png", "chelsea.png", "coffee.png", "camera.png"])
def test_the_sides_of_a_picture_in_a_picture_are_seams(name: str) -> None:
    ground = ImageOps.fit(photograph("rocket.jpg", 800), (1200, 800))
    ground.paste(photograph(name, 800).resize((420, 300)), (600, 400))
    found = rectangles(raster(ground), 6)
    true = tuple(side * 320 // 1200 for side in (600, 400, 1020, 700))
    assert max(overlap(box, true) for box in found) > 0.9  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "rocket.jpg"])  # its tower has a seam
def test_a_photograph_has_no_regions(name: str) -> None:
    thumbnail = describe(encoded(photograph(name, 800))).thumbnail
    assert describe_regions(thumbnail, None) == []


def test_a_small_or_plain_picture_has_no_rectangles() -> None:
    assert rectangles(np.zeros((60, 300, 3), np.uint8), 6) == []
    assert rectangles(np.full((240, 320, 3), 200, np.uint8), 6) == []


@pytest.mark.parametrize("degrees", [8, 30, 45, 77])
@pytest.mark.parametrize("ground", ["black", "white"])
def test_a_turned_picture_is_laid_upright(degrees: float, ground: str) -> None:
    picture = photograph("chelsea.png", 800)
    turned = picture.rotate(-degrees, Image.Resampling.BICUBIC, expand=True, fillcolor=ground)
    found = tilt(raster(turned))
    assert found is not None
    assert found.degrees == pytest.approx(degrees, abs=0.6)
    width, height = found.size
    assert width / height == pytest.approx(picture.width / picture.height, rel=0.03)


def test_upright_and_round_things_are_not_turned() -> None:
    picture = photograph("chelsea.png", 400)
    assert tilt(raster(picture)) is None
    assert tilt(raster(ImageOps.expand(picture, 40, "white"))) is None
    disc = Image.new("RGB", picture.size, "white")
    disc.paste(picture, mask=Image.radial_gradient("L").resize(picture.size).point(lambda v: 255 * (v < 120)))
    assert tilt(raster(disc)) is None


def test_there_are_never_more_regions_than_promised() -> None:
    squares = np.random.default_rng(3).integers(0, 256, (5, 5, 3), np.uint8).repeat(64, 0).repeat(64, 1)
    noisy = squares + np.random.default_rng(4).integers(0, 30, squares.shape, np.uint8)
    thumbnail = encoded(Image.fromarray(noisy), "JPEG", quality=95)
    assert 0 < len(describe_regions(thumbnail, None)) <= MOST_REGIONS


def test_what_is_no_picture_has_no_regions() -> None:
    assert describe_regions(b"no JPEG", None) == []


def test_the_spectrum_of_a_negative_is_exact() -> None:
    picture = photograph("coffee.png", 400)
    own, other = describe(encoded(picture)), describe(encoded(ImageOps.invert(picture)))
    bits = bits_of(negative(own.spectrum))
    assert int(np.bitwise_count(bits ^ other.bits).sum()) <= 4
