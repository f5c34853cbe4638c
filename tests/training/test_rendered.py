"""Rendered families: one template, other contents, everything by the seed."""

import random

import numpy as np
import pytest
from PIL import Image

from datasets.rendered import KINDS, LEFT_OUT
from datasets.rendered.difference import differ
from training.families import family, plan
from training.gather import SIDE


def photos(rng):
    coarse = np.random.default_rng(rng.randrange(2**32)).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((240, 180), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("kind", KINDS)
def test_members_of_a_family_differ_and_a_seed_repeats(kind):
    members = family(kind, "a", photos, 3)
    assert len(members) == 3
    assert all(member.shape == (SIDE, SIDE, 3) for member in members)
    assert all(differ(members[a], members[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    assert np.array_equal(family(kind, "a", photos, 1)[0], members[0])


def test_members_are_nearer_to_each_other_than_to_another_template():
    def distance(first, second):
        return np.abs(first.astype(int) - second).mean()

    nearer = 0
    for kind in KINDS:
        first, second = family(kind, "a", photos, 2)
        (other,) = family(kind, "b", photos, 1)
        nearer += distance(first, second) < distance(first, other)
    assert nearer > 0.75 * len(KINDS)


def test_kinds_left_out_are_never_in_the_training_part():
    rows = list(plan(2))
    assert {kind for part, kind, _ in rows if part == "train"} == set(KINDS) - set(LEFT_OUT)
    assert {kind for part, kind, _ in rows if part == "check"} == set(KINDS)


def test_contents_leave_the_template_alone():
    template = "the same"
    drawn = [KINDS["form"](random.Random(template), random.Random(k), photos) for k in range(2)]
    assert drawn[0].size == drawn[1].size
