"""The wider attacks, and the figures of look-alikes, with descriptors whose answers are known."""

import json

import numpy as np
import pytest
from PIL import Image

from training.lookalikes import evaluate_alike, prepare_alike
from training.wide_attacks import OTHERS, WIDE_ATTACKS, wide_attack

SIZE = 64


def scene(seed, size=(260, 200)):
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


@pytest.mark.parametrize("name", WIDE_ATTACKS)
def test_attacks_change_the_picture_and_repeat_by_the_seed(name):
    others = [scene(10 + k) for k in range(OTHERS)]
    image = scene(1)
    attacked = wide_attack(name, image, 4, others)
    again = wide_attack(name, image, 4, others)
    assert attacked.mode == "RGB"
    assert np.array_equal(np.asarray(attacked), np.asarray(again))
    shape = attacked.resize(image.size)
    assert np.abs(np.asarray(shape, float) - np.asarray(image, float)).mean() > 4


def test_a_collage_shows_the_picture_on_its_share():
    red, blue = Image.new("RGB", (90, 60), (255, 0, 0)), Image.new("RGB", (70, 70), (0, 0, 255))
    for name, share in (("collage_2", 1 / 2), ("collage_4", 1 / 4), ("collage_6", 1 / 6), ("inset_33", 0.11)):
        page = np.asarray(wide_attack(name, red, 2, [blue] * OTHERS))
        assert (page[..., 0] > 128).mean() == pytest.approx(share, abs=0.02)


@pytest.fixture
def cache(tmp_path):
    """Two families of four pictures: one half of each picture is the family's, the other its own."""
    (tmp_path / "rendered").mkdir()
    rows, images = [], []
    for number in range(2):
        common = np.asarray(scene(100 + number, (256, 128)))
        for k in range(4):
            images.append(np.concatenate([common, np.asarray(scene(10 * number + k, (256, 128)))]))
            rows.append(("check", ("clock", "icon")[number], number))
    images.append(images[0])
    rows.append(("train", "clock", 7))
    np.save(tmp_path / "rendered" / "images.npy", np.stack(images))
    (tmp_path / "rendered" / "items.json").write_text(json.dumps(rows))
    for name in ("clothing", "grocery"):
        (tmp_path / "sources" / name).mkdir(parents=True)
        np.save(tmp_path / "sources" / name / "images.npy", np.stack(images[:2]))
        (tmp_path / "sources" / name / "items.json").write_text(json.dumps([["one", "a"], ["two", "a"]]))
    return tmp_path


def half(rows):
    def embed(images):
        vectors = np.array(images)[:, rows].reshape(len(images), -1).astype(np.float32) - 128
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    return embed


def test_a_descriptor_of_the_template_takes_look_alikes_for_copies(cache, monkeypatch):
    monkeypatch.setattr("training.lookalikes.listed_held_out", lambda: {"one", "two"})
    monkeypatch.setattr("training.lookalikes.LIGHT_ATTACKS", ("jpeg_q30",))
    prepare_alike(cache, SIZE)
    blind = evaluate_alike(half(slice(0, 30)), cache, SIZE, 0.8)
    sees = evaluate_alike(half(slice(34, None)), cache, SIZE, 0.8)
    assert blind["clock"].pairs == blind["icon"].pairs == 12
    assert blind["clock"].seen
    assert not blind["icon"].seen
    assert blind["clock"].above == blind["icon"].above == 1
    assert sees["clock"].above == sees["icon"].above == 0
    assert sees["clock"].recall == sees["icon"].recall == 1
    assert blind["mean of kinds left out"].median > 0.99 > sees["mean of kinds left out"].median
    assert blind["clothing"].above == 1
    assert sees["clothing"].above == 0
