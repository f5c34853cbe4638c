"""Training edits: squares of bytes by the seed, and a true account of what is in them."""

import numpy as np
import pytest
from PIL import Image

from training import effects, layouts
from training.dice import Dice
from training.edits import COVERS, SINGLES, SURROUNDINGS, TURNS, Edited, Editor

SIDE = 192


def scene(seed):
    coarse = np.random.default_rng(seed).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


IMAGES = np.stack([scene(seed) for seed in range(12)])
POOL = np.arange(12)


def editor(seed, images=IMAGES):
    return Editor(images, POOL, np.random.default_rng(seed), 128, POOL)


@pytest.mark.parametrize(
    "effect", [effect for effect, _ in effects.EFFECTS], ids=lambda effect: effect.__name__
)
def test_effects_change_the_picture_and_keep_its_shape(effect):
    for seed in range(4):
        edited = effect(Dice(np.random.default_rng(seed)), IMAGES[0].copy())
        assert edited.shape == IMAGES[0].shape
        assert edited.dtype == np.uint8
        assert np.abs(edited.astype(int) - IMAGES[0]).mean() > 0.5


def test_strong_edits_repeat_by_the_seed():
    for seed in range(60):
        row = seed % 12
        first = editor(seed).strong(row, None, False, row, 1.0)
        again = editor(seed).strong(row, None, False, row, 1.0)
        assert first.image.shape == (128, 128, 3)
        assert np.array_equal(first.image, again.image)


def test_weights_of_all_that_an_edited_picture_shows_sum_to_one():
    several = 0
    for seed in range(400):
        edited = editor(seed).strong(3, None, False, 3, 1.0)
        assert edited.weight + sum(weight for _, weight in edited.parts) == pytest.approx(1)
        assert all(mate != 3 for mate, _ in edited.parts)
        several += len(edited.parts) > 0
    assert 30 < several < 120


def test_a_collage_names_the_pictures_in_it():
    """Every picture has one colour, so that the collage tells which of them it shows, and on what area."""
    colours = np.random.default_rng(5).integers(0, 256, (12, 3), dtype=np.uint8)
    plain = np.broadcast_to(colours[:, None, None], (12, SIDE, SIDE, 3)).copy()
    seen = 0
    for seed in range(40):
        result = Edited(plain[2], row=2)
        image = editor(seed, plain).collage(plain[2], result)
        shares = {k: float((image == colours[k]).all(axis=2).mean()) for k in range(12)}
        parts = dict(result.parts) | {2: result.weight}
        if max(shares.values()) == 0:
            continue  # two pictures blended
        seen += 1
        assert {k for k, share in shares.items() if share > 0.02} == set(parts)
        assert all(shares[k] == pytest.approx(weight, abs=0.12) for k, weight in parts.items())
    assert seen > 30


def test_an_inset_shows_the_whole_picture_small():
    dice = Dice(np.random.default_rng(1))
    white, black = np.full((SIDE, SIDE, 3), 255, np.uint8), np.zeros((SIDE, SIDE, 3), np.uint8)
    for _ in range(20):
        image, area = layouts.inset(dice, white, black, 0.2)
        assert 0.02 < area < 0.6
        assert (image == 255).all(axis=2).mean() >= area * 0.98


def test_a_turn_that_keeps_the_whole_picture_loses_none_of_it():
    mark = np.zeros((SIDE, SIDE, 3), np.uint8)
    mark[: SIDE // 8, : SIDE // 8] = (0, 255, 0)
    kept = [(layouts.rotated(Dice(np.random.default_rng(s)), mark)[..., 1] > 128).any() for s in range(40)]
    assert sum(kept) > 18


def test_shares_of_every_table_of_edits_are_at_most_one():
    for table in (TURNS, SURROUNDINGS, COVERS, SINGLES):
        assert 0 < sum(share for share, _ in table) <= 1 + 1e-9
