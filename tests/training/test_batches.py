"""Batches: look-alikes come together, near-duplicates and shared contents are never negatives."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from training.losses import Batch, copy_losses  # noqa: E402
from training.pool import Images, Pool  # noqa: E402
from training.train import Pairs, clustered, sharing  # noqa: E402


def unit(rng, count):
    vectors = rng.normal(size=(count, 16)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_members_of_a_family_follow_one_another_and_near_duplicates_do_not():
    rng = np.random.default_rng(3)
    vectors = unit(rng, 40)
    vectors[1] = vectors[0]  # a near-duplicate by its vector
    vectors[3] = vectors[2] * 0.9 + vectors[4] * 0.1
    vectors[3] /= np.linalg.norm(vectors[3])
    groups = np.arange(40)
    groups[3] = 2  # a near-duplicate by its group
    families = np.full(40, -1)
    families[20:28], families[28:40] = 100, 200
    order = clustered(rng.permutation(40), vectors, groups, families, 4)
    assert sorted(order.tolist()) == list(range(40))
    place = np.empty(40, np.int64)
    place[order] = np.arange(40)
    for members in (np.arange(20, 28), np.arange(28, 40)):
        spread = np.sort(place[members])
        assert (np.diff(spread)[[0, 1, 2, 4, 5, 6]] == 1).all()


def test_pictures_that_share_something_are_related():
    related = sharing([[1], [2], [3, 1], [4], [5, 4]])
    assert related[0, 2]
    assert related[3, 4]
    assert not related[0, 1]
    assert not related[2, 3]
    assert related.diagonal().all()


def test_a_near_duplicate_costs_nothing_as_a_negative():
    generator = torch.Generator().manual_seed(1)
    plain = torch.nn.functional.normalize(torch.randn(4, 16, generator=generator), dim=1)
    plain[1] = plain[0]
    related = torch.eye(8, dtype=torch.bool)
    apart = copy_losses(Batch(plain, plain.clone(), torch.eye(4), related), 0.07)[0]
    for a in (0, 1, 4, 5):
        for b in (0, 1, 4, 5):
            related[a, b] = True
    together = copy_losses(Batch(plain, plain.clone(), torch.eye(4), related), 0.07)[0]
    assert together < apart - 0.1
    assert together < 0.05


def test_a_batch_is_fixed_by_its_step_and_tells_what_is_in_it():
    images = np.random.default_rng(0).integers(0, 256, (24, 64, 64, 3), dtype=np.uint8)
    family = np.full(24, -1)
    family[12:] = np.repeat([12, 18], 6)
    pool = Pool(Images([images[:10], images[10:]]), np.arange(24), np.arange(24), family)
    first = Pairs(pool, 1, 4, 8).batch(5, 0, 16, 64, 1.0)
    again = Pairs(pool, 1, 4, 8).batch(5, 0, 16, 64, 1.0)
    assert np.array_equal(first[0], again[0])
    assert first[0].shape == (32, 64, 64, 3)
    target, related = first[1]["target"], first[1]["related"]
    assert np.allclose(target.sum(axis=1), 1)
    rows, mates = np.nonzero(target)
    assert related[16 + rows, mates].all()
