"""Pictures in pages: found between flat gutters, with the hash of what was pasted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageOps

from facsimile.imaging.describe import describe, hash_queries_of_panels
from facsimile.imaging.distance import hamming
from facsimile.imaging.panels import panels
from facsimile.imaging.phash import bits_of
from facsimile.imaging.record import MOST_PANELS
from tests.support.pictures import NAMES, encoded, photograph

Box = tuple[int, int, int, int]


def page(boxes: dict[str, Box], size: tuple[int, int], colour: str = "white") -> Image.Image:
    """Photographs in their boxes, and a line of text at the bottom."""
    paper = Image.new("RGB", size, colour)
    for name, (left, top, right, bottom) in boxes.items():
        paper.paste(photograph(name, 800).resize((right - left, bottom - top)), (left, top))
    ImageDraw.Draw(paper).text((20, size[1] - 20), "the news of the day", "gray")
    return paper


ARTICLE: dict[str, Box] = {"chelsea.png": (20, 30, 180, 130), "coffee.png": (200, 30, 300, 100)}


@pytest.mark.parametrize("colour", ["white", "black", "steelblue"])
def test_pictures_are_cut_out_of_a_page(colour: str) -> None:
    found = panels(np.asarray(page(ARTICLE, (320, 240), colour).convert("L")))
    for box in ARTICLE.values():
        assert min(np.abs(np.subtract(each, box)).max() for each in found) <= 2


def test_cells_of_a_collage_are_cut_out() -> None:
    cells = {
        name: (x, y, x + 140, y + 100)
        for name, (x, y) in zip(NAMES, ((10, 10), (160, 10), (10, 120), (160, 120)), strict=False)
    }
    found = panels(np.asarray(page(cells, (310, 260)).convert("L")))
    for box in cells.values():
        assert min(np.abs(np.subtract(each, box)).max() for each in found) <= 4


@pytest.mark.parametrize("mirrored", [False, True])
def test_a_picture_in_a_page_has_the_hash_of_the_original(mirrored: bool) -> None:
    shot = page({"chelsea.png": (60, 100, 480, 380), "coffee.png": (700, 100, 940, 260)}, (1000, 700))
    looks = hash_queries_of_panels(describe(encoded(ImageOps.mirror(shot) if mirrored else shot, "JPEG")))
    for name in ("chelsea.png", "coffee.png"):
        original = bits_of(describe(encoded(photograph(name, 800))).spectrum)
        assert min(int(hamming(look.bits, original)) for look in looks) <= 64


@pytest.mark.parametrize("size", [(320, 240), (1000, 700)])
@pytest.mark.parametrize("format", ["PNG", "JPEG"])
def test_a_page_keeps_the_hashes_that_its_thumbnail_has(size: tuple[int, int], format: str) -> None:
    scale = size[0] // 320
    boxes = {name: tuple(scale * side for side in box) for name, box in ARTICLE.items()}
    stored = describe(encoded(page(boxes, size), format))  # type: ignore[arg-type]
    assert stored.panels.dtype == np.uint8 and 2 <= len(stored.panels) <= MOST_PANELS
    assert np.array_equal(stored.panels, bits_of(stored.spectra_panels))
    again = describe(stored.thumbnail).panels
    apart = hamming(stored.panels[:, None], again[None]).min(axis=1)
    assert np.count_nonzero(apart <= 16) >= len(boxes)
    upright = [look.bits for look in hash_queries_of_panels(stored) if look.orientation == "upright"]
    assert np.array_equal(upright, stored.panels)


def test_what_is_blank_has_no_panels() -> None:
    paper = Image.new("L", (300, 200), "white")
    ImageDraw.Draw(paper).rectangle((100, 60, 200, 140), "black")
    for picture in (Image.new("RGB", (300, 200), "white"), paper):
        stored = describe(encoded(picture))
        assert (stored.panels.shape, stored.spectra_panels.shape) == ((0, 32), (0, 16, 16))


def test_detail_that_few_pixels_of_a_line_show_is_no_gutter() -> None:
    """A page on squared paper has no gutters, wherever the squares begin."""
    for first in range(8):
        paper = np.array(page(ARTICLE, (320, 240)).convert("L"))
        paper[:, first::8] = paper[first::8] = 0
        assert panels(paper) == []


def test_photographs_are_no_pages() -> None:
    for name in ("chelsea.png", "coffee.png", "astronaut.png"):
        described = describe(encoded(photograph(name)))
        assert hash_queries_of_panels(described) == [] and described.panels.shape == (0, 32)


@hypothesis_settings(max_examples=50, deadline=None)
@given(
    width=st.integers(1, 330), height=st.integers(1, 330), seed=st.integers(0, 99), blocks=st.integers(0, 9)
)
def test_panels_lie_within_and_are_few(width: int, height: int, seed: int, blocks: int) -> None:
    rng = np.random.default_rng(seed)
    luma = np.full((height, width), 255, np.uint8)
    for _ in range(blocks):
        y, x = rng.integers(0, height), rng.integers(0, width)
        block = luma[y : y + rng.integers(1, 90), x : x + rng.integers(1, 90)]
        block[:] = rng.integers(0, 256, block.shape)
    found = panels(luma)
    assert len(found) == len(set(found)) <= MOST_PANELS
    for left, top, right, bottom in found:
        assert 0 <= left < right <= width and 0 <= top < bottom <= height
        assert min(right - left, bottom - top) >= 24
