"""Local features: found again after an edit, and the transformation that they agree on."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from facsimile.imaging.geometry.features import Kind, features, matched, reflected
from facsimile.imaging.geometry.homography import fit, plausible
from facsimile.imaging.geometry.overlap import overlap, refine
from facsimile.imaging.geometry.parallax import parallax
from tests.support.pictures import photograph

Luma = NDArray[np.uint8]
KINDS: tuple[Kind, ...] = ("orb", "sift")


def luma(name: str = "chelsea.png", longest: int = 320) -> Luma:
    return np.asarray(photograph(name, longest).convert("L"))


@pytest.mark.parametrize("kind", KINDS)
def test_a_crop_is_laid_where_it_was_cut(kind: Kind) -> None:
    whole = luma()
    part = whole[40:170, 60:240]
    found = fit(*matched(features(whole, kind), features(part, kind)))
    assert found is not None and found.inliers > 30
    corners = np.array([(60, 40, 1), (240, 40, 1), (240, 170, 1), (60, 170, 1)]) @ found.matrix.T
    expected = [(0, 0), (180, 0), (180, 130), (0, 130)]
    np.testing.assert_allclose(corners[:, :2] / corners[:, 2:], expected, atol=2)
    shared = overlap(whole, part, found.matrix)
    assert shared is not None and shared.agreement > 0.95
    np.testing.assert_allclose(shared.common.corners.min(axis=0), (60, 40), atol=2)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "empty",
    [np.full((200, 320), 127, np.uint8), np.zeros((1, 1), np.uint8), np.zeros((2, 300), np.uint8)],
    ids=["blank", "one pixel", "a line"],
)
def test_a_picture_without_features_matches_nothing(kind: Kind, empty: Luma) -> None:
    none = features(empty, kind)
    assert none.points.shape == (0, 4)
    for first, second in ((none, none), (none, features(luma(), kind)), (features(luma(), kind), none)):
        assert fit(*matched(first, second)) is None


@pytest.mark.parametrize("kind", KINDS)
def test_other_photographs_agree_on_nothing(kind: Kind) -> None:
    names = ("chelsea.png", "coffee.png", "astronaut.png", "rocket.jpg", "camera.png")
    kept = [features(luma(name), kind) for name in names]
    inliers = [
        found.inliers if (found := fit(*matched(a, b))) else 0 for a in kept for b in kept if a is not b
    ]
    assert max(inliers) < 6


def test_features_are_the_same_every_time() -> None:
    first, second = features(luma(), "orb"), features(luma(), "orb")
    assert np.array_equal(first.points, second.points)
    assert np.array_equal(first.descriptors, second.descriptors)


@settings(max_examples=40, deadline=None)
@given(
    gain=st.floats(0.5, 1.0),
    offset=st.floats(0, 100),
    covered=st.floats(0, 0.4),
)
def test_pixels_agree_whatever_the_brightness_and_under_a_cover(
    gain: float, offset: float, covered: float
) -> None:
    picture = luma()
    other = np.clip(gain * picture + offset * (1 - gain), 0, 255).astype(np.uint8)
    other[: round(covered * len(other))] = 200
    shared = overlap(picture, other, np.eye(3))
    assert shared is not None and shared.agreement > 0.9


def test_a_map_that_is_a_little_off_is_refined() -> None:
    picture = luma()
    part = picture[30:190, 40:280]
    exact = np.array([(1.0, 0, -40), (0, 1, -30), (0, 0, 1)])
    off = np.array([(1.01, 0.01, -42.5), (-0.01, 0.99, -28), (0, 0, 1)])
    before = overlap(picture, part, off)
    assert before is not None
    found = refine(before.common)
    assert found is not None
    np.testing.assert_allclose(found, exact, atol=0.5)
    after = overlap(picture, part, found)
    assert after is not None and after.agreement > 0.99 > before.agreement
    assert after.hamming < before.hamming


def test_blank_pictures_have_nothing_to_refine_and_no_parallax() -> None:
    blank = np.full((200, 320), 127, np.uint8)
    shared = overlap(blank, blank, np.eye(3))
    assert shared is not None
    assert refine(shared.common) is None
    assert parallax(shared.common) is None


def test_pictures_from_one_template_differ_in_the_hash_of_what_they_share() -> None:
    template = luma()
    other = template.copy()
    other[60:150, 100:220] = luma("coffee.png")[60:150, 100:220]
    shared = overlap(template, other, np.eye(3))
    assert shared is not None
    assert shared.agreement > 0.95 and shared.hamming > 40


def test_pixels_of_another_picture_do_not_agree() -> None:
    shared = overlap(luma(), luma("coffee.png"), np.eye(3))
    assert shared is not None and shared.agreement < 0.3


def moved_about(picture: Luma, pixels: float) -> Luma:
    """Each part shifted to another side, as between two shots."""
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]].astype(np.float32)
    aside = pixels * np.sin(columns / 30)
    down = pixels * np.cos(rows / 25)
    return np.asarray(cv2.remap(picture, columns + aside, rows + down, cv2.INTER_LINEAR))


@pytest.mark.parametrize("name", ["chelsea.png", "coffee.png", "astronaut.png"])
def test_parts_that_moved_against_each_other_show_though_their_pixels_agree(name: str) -> None:
    picture = luma(name)
    slanted = np.array([(0.98, 0.03, 4), (-0.02, 0.97, 6), (1e-4, 5e-5, 1)])
    size = (picture.shape[1], picture.shape[0])
    copy: Any = np.asarray(cv2.warpPerspective(picture // 2 + 60, slanted, size))
    for other, matrix, low, high in (
        (copy, slanted, 0.0, 0.12),
        (moved_about(picture, 2), np.eye(3), 0.2, 2.0),
    ):
        shared = overlap(picture, other, matrix)
        assert shared is not None
        told = parallax(shared.common)
        assert told is not None and low <= told <= high


def test_pictures_that_do_not_meet_have_no_overlap() -> None:
    aside = np.array([(1.0, 0, 5000), (0, 1, 0), (0, 0, 1)])
    assert overlap(luma(), luma(), aside) is None


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        (np.eye(3), True),
        (np.diag((-1.0, 1, 1)), True),
        (np.diag((0.1, 0.1, 1)), True),
        (np.diag((1.0, 4, 1)), False),
        (np.array([(1, 2.0, 0), (0, 1, 0), (0, 0, 1)]), False),
        (np.array([(1.0, 0, 0), (0, 1, 0), (-0.01, 0, 1)]), False),
        (np.array([(1.0, 0, 0), (0, 1, 0), (0.001, 0, 1)]), True),
    ],
    ids=["same", "mirrored", "small", "stretched", "sheared", "folded", "aslant"],
)
def test_a_plausible_map_neither_folds_nor_distorts(matrix: NDArray[np.float64], expected: bool) -> None:
    assert plausible(matrix, 320, 240) is expected


def test_reflected_features_are_those_of_the_mirrored_picture() -> None:
    picture = luma()
    reflection = reflected(features(picture, "sift"), picture.shape[1])
    first, second = matched(reflection, features(picture[:, ::-1], "sift"))
    assert len(first) > 0.8 * len(reflection.points)
    apart = np.hypot(*(first[:, :2] - second[:, :2]).T)
    turned = np.angle(np.exp(1j * (first[:, 3] - second[:, 3])))
    assert np.median(apart) < 0.1 and np.median(np.abs(turned)) < 0.01


def test_a_coarse_look_finds_fewer_features_in_the_same_places() -> None:
    fine, coarse = features(luma(), "sift"), features(luma(), "sift", coarse=True)
    assert 0 < len(coarse.points) < len(fine.points)
    found = fit(*matched(coarse, fine))
    assert found is not None and found.inliers > 50
    np.testing.assert_allclose(found.matrix, np.eye(3), atol=1)
