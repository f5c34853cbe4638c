"""The trial's disguises: seeded, readable, and still the picture that they hide."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.accuracy.attacks_web import DISGUISES
from facsimile.imaging.describe import describe
from facsimile.imaging.record import ImageRecord
from facsimile.search.proof import Policy
from facsimile.search.verifier import Verifier
from tests.support.pictures import encoded, photograph

OTHERS = [photograph(name) for name in ("coffee.png", "rocket.jpg", "camera.png")]


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_hides_the_picture_and_not_its_geometry(name: str) -> None:
    picture = photograph("chelsea.png", 300)
    first, second = (DISGUISES[name](picture, np.random.default_rng(1), OTHERS) for _ in range(2))
    assert first == second != encoded(picture)
    assert DISGUISES[name](picture, np.random.default_rng(2), OTHERS) != first
    proof = Verifier(describe(first), Policy()).proof(ImageRecord.of(describe(encoded(picture))))
    assert proof is not None and proof.finding == "copy"
