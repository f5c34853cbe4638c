"""Flat margins are found where people put them, and nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageOps

from facsimile.imaging.decode import decode
from facsimile.imaging.margins import content_box
from tests.support.pictures import NAMES, encoded, photograph


def box_of(image: Image.Image, quality: int = 80):
    """What is found after a JPEG has spoilt the flatness."""
    return content_box(decode(encoded(image, "JPEG", quality=quality)).luma)


def busy(name: str = "chelsea.png") -> Image.Image:
    return photograph(name, 300)


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png"])
def test_a_full_picture_has_none(name):
    assert box_of(busy(name)) is None


@pytest.mark.parametrize("colour", ["black", "white", "gray", "navy", "orange"])
@pytest.mark.parametrize("quality", [95, 50, 30])
def test_a_border_is_found_within_two_pixels(colour, quality):
    photo = busy()
    found = box_of(ImageOps.expand(photo, (40, 25, 30, 50), colour), quality)
    np.testing.assert_allclose(found, (40, 25, 40 + photo.width, 25 + photo.height), atol=2)


def test_bars_of_different_colours_and_a_thin_frame():
    photo = busy()
    framed = ImageOps.expand(ImageOps.expand(photo, 4, "white"), (0, 40, 0, 40), "black")
    found = box_of(framed, 95)
    np.testing.assert_allclose(found, (4, 44, 4 + photo.width, 44 + photo.height), atol=2)

    two = ImageOps.expand(ImageOps.expand(photo, (0, 30, 0, 0), "black"), (50, 0, 0, 0), "white")
    np.testing.assert_allclose(box_of(two), (50, 30, 50 + photo.width, 30 + photo.height), atol=2)


def test_margins_too_thin_to_matter_are_left():
    assert box_of(ImageOps.expand(busy(), 2, "black"), 95) is None


@pytest.mark.parametrize("colour", [0, 90, 255])
def test_a_blank_picture_is_not_cut_to_nothing(colour):
    assert content_box(np.full((120, 200), colour, np.uint8)) is None


def test_a_speck_on_a_sheet_is_not_cut_out():
    sheet = np.full((300, 300), 255, np.uint8)
    sheet[100:140, 100:150] = np.random.default_rng(0).integers(0, 200, (40, 50))
    assert content_box(sheet) is None


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1), (3, 7)])
def test_any_size_is_taken(shape):
    assert content_box(np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)) is None
    assert content_box(np.zeros(shape, np.uint8)) is None


@pytest.mark.parametrize("name", NAMES)
def test_what_is_left_is_inside(name):
    bordered = ImageOps.expand(busy(name), 35, "white")
    left, top, right, bottom = box_of(bordered)
    assert 33 <= left < right <= bordered.width - 33
    assert 33 <= top < bottom <= bordered.height - 33
