"""Records are read back at once, whatever they hold, and however often they are written in between."""

from __future__ import annotations

from itertools import product

import numpy as np

from facsimile.imaging.record import ImageRecord
from facsimile.search.index.base import Index, Status
from tests.support.records import random_bits, random_panels, random_vector, record

#: Elasticsearch answers a first read of a record from its segments, and later ones as it was written
READS = 3


def of_every_shape(rng: np.random.Generator) -> list[ImageRecord]:
    shapes = product((0, 1, 2, 12), (False, True), (False, True), (None, b"\xff\xd8 jpeg"))
    return [
        record(
            f"{panels} panels, {trimmed=}, {vector=}, {thumbnail=}",
            rng,
            panels=random_panels(rng, panels),
            bits_trimmed=random_bits(rng) if trimmed else None,
            vector=random_vector(rng) if vector else None,
            thumbnail=thumbnail,
        )
        for panels, trimmed, vector, thumbnail in shapes
    ]


def check(got: ImageRecord, put: ImageRecord, *, full: bool) -> None:
    assert np.array_equal(got.bits, put.bits)
    assert (got.bits_trimmed is None) == (put.bits_trimmed is None)
    if put.bits_trimmed is not None:
        assert np.array_equal(got.bits_trimmed, put.bits_trimmed)
    assert got.panels.dtype == np.uint8 and np.array_equal(got.panels, put.panels)
    assert got.title == put.title
    assert got.thumbnail == (put.thumbnail if full else None)
    if full and put.vector is not None:
        assert got.vector is not None and got.vector.dtype == np.float32
        np.testing.assert_allclose(got.vector, put.vector, atol=4e-3)
    else:
        assert got.vector is None


def test_records_of_every_shape_are_read_without_a_refresh(index: Index, rng: np.random.Generator) -> None:
    records = of_every_shape(rng)
    keys = [each.key for each in records]
    for turn in range(READS):
        records = [each.replaced(title=f"title {turn}") for each in records]
        expected = Status.UPDATED if turn else Status.ADDED
        assert {each.status for each in index.put(records)} == {expected}
        for full in (True, False) * READS:
            got = index.get(keys, full=full)
            for put in records:
                check(got[put.key], put, full=full)
    index.refresh()
    for put in records:
        check(index.get([put.key])[put.key], put, full=True)


def test_other_bytes_of_every_shape_replace_a_record_without_a_refresh(
    index: Index, rng: np.random.Generator
) -> None:
    """Each shape in turn under one key, so that nothing of the shape before may be left."""
    for each in of_every_shape(rng):
        put = each.replaced(id="one")
        index.put([put])
        for full in (True, False):
            check(index.get([put.key], full=full)[put.key], put, full=full)
