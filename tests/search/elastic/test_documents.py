"""Documents in every form that Elasticsearch may give them back."""

import base64
from typing import Any

import numpy as np
import pytest

from facsimile.search.index.elastic.documents import bits_of, document, packed, record_of, vector_of
from tests.support.records import random_bits, random_panels, random_vector, record

FORMS: dict[str, Any] = {
    "hexadecimal": lambda bits: bits.tobytes().hex(),
    "upper hexadecimal": lambda bits: bits.tobytes().hex().upper(),
    "base64": lambda bits: base64.b64encode(bits.tobytes()).decode(),
    "signed bytes": lambda bits: bits.view(np.int8).tolist(),
    "unsigned bytes": lambda bits: bits.tolist(),
    "floats": lambda bits: bits.view(np.int8).astype(float).tolist(),
}


@pytest.mark.parametrize("form", FORMS)
def test_bits_are_read_in_every_form(form: str, rng: np.random.Generator):
    put = record("1", rng, bits_trimmed=random_bits(rng), panels=random_panels(rng, 3))
    given = document(put)
    for name in ("bits", "bits_trimmed"):
        given[name] = FORMS[form](getattr(put, name))
    for panel, bits in zip(given["panels"], put.panels, strict=True):
        panel["bits"] = FORMS[form](bits)
    got = record_of(given)
    for name in ("bits", "bits_trimmed", "panels"):
        assert getattr(got, name).dtype == np.uint8
        np.testing.assert_array_equal(getattr(got, name), getattr(put, name))


def test_panels_may_be_missing_null_or_one_without_its_list(rng: np.random.Generator):
    given = document(record("1", rng, panels=random_panels(rng, 1)))
    alone = given["panels"][0]
    assert record_of(given | {"panels": alone}).panels.shape == (1, 32)
    assert record_of(given | {"panels": None}).panels.shape == (0, 32)
    del given["panels"]
    assert record_of(given).panels.shape == (0, 32)


def test_vectors_are_read_in_every_form(rng: np.random.Generator):
    vector = random_vector(rng)
    forms: tuple[Any, ...] = (packed(vector), vector.tolist(), [str(each) for each in vector])
    for given in forms:
        got = vector_of(given)
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, vector, rtol=1e-6)


@pytest.mark.parametrize("value", ["", "00" * 31, "zz" * 32, [0] * 31, [[0] * 32], ["a"] * 32, "AAAA"])
def test_what_is_no_hash_is_not_taken_for_one(value: Any):
    with pytest.raises(ValueError, match=r"."):
        bits_of(value)
