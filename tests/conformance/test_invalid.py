"""Records that no index takes."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from search.index.base import Index, Status
from tests.conformance.synthetic import record


def nested(depth: int) -> dict[str, object]:
    value: dict[str, object] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"id": ""}, "empty"),
        ({"id": "x" * 513}, "513 bytes"),
        ({"id": "é" * 257}, "514 bytes"),
        ({"id": "a\0b"}, "NUL"),
        ({"id": "\ud800"}, "surrogate"),
        ({"title": "\udcff"}, "surrogate"),
        ({"sources": ("bad\udcff.jpg",)}, "surrogate"),
        ({"tags": ("t" * 8193,)}, "8193 bytes"),
        ({"collection": ""}, "collection"),
        ({"collection": ".hidden"}, "collection"),
        ({"collection": "a/b"}, "collection"),
        ({"collection": "new\n"}, "collection"),
        ({"collection": "c" * 65}, "collection"),
        ({"metadata": ["no", "object"]}, "not a JSON object"),
        ({"metadata": {"k": {1: 2}}}, "key"),
        ({"metadata": {"k": (1, 2)}}, "tuple"),
        ({"metadata": {"k": float("nan")}}, "nan"),
        ({"metadata": {"k": datetime.now(UTC)}}, "datetime"),
        ({"metadata": {"k": 2**80}}, "JSON"),
        ({"metadata": {"k": "\ud800"}}, "JSON"),
        ({"metadata": {"k": "v" * 65536}}, "at most 65536"),
        ({"metadata": nested(30)}, "deeper"),
        ({"sha256": "XYZ"}, "sha256"),
        ({"quality": 101}, "quality"),
        ({"bits": np.zeros(31, np.uint8)}, "bits"),
        ({"panels": np.zeros((1, 31), np.uint8)}, "panels"),
        ({"panels": np.zeros(32, np.uint8)}, "panels"),
        ({"panels": np.zeros((13, 32), np.uint8)}, "panels"),
        ({"panels": np.zeros((1, 32), np.int64)}, "panels"),
        ({"vector": np.ones(3, np.float32)}, "3 dimensions"),
        ({"vector": np.zeros(64, np.float32)}, "length 1"),
        ({"vector": np.full(64, np.nan, np.float32)}, "length 1"),
        ({"added_at": datetime(2024, 1, 1)}, "time zone"),
    ],
)
def test_an_invalid_record_fails_alone_and_says_why(
    index: Index, rng: np.random.Generator, fields: dict[str, object], reason: str
) -> None:
    good = [record("before", rng), record("after", rng)]
    first, bad, last = index.put([good[0], record("bad", rng).replaced(**fields), good[1]])
    assert (first.status, last.status) == (Status.ADDED, Status.ADDED)
    assert bad.status is Status.FAILED and reason in bad.reason and not bad.transient
    index.refresh()
    assert index.count() == 2
