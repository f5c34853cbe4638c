"""Records that no index takes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.base import Index, Status
from facsimile.search.index.state.base import EntryFilter, Ref
from facsimile.search.index.state.validation import Place, cursor_of
from facsimile.search.query import Filter
from tests.support.records import record


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
        ({"metadata": {"k": [2**64]}}, "64 bits"),
        ({"metadata": {"k": -(2**63) - 1}}, "64 bits"),
        ({"metadata": {"k": [{"l": float("-inf")}]}}, "inf"),
        ({"metadata": {"k": np.float64(1)}}, "float64"),
        ({"metadata": {"k": "\ud800"}}, "JSON"),
        ({"metadata": {"\udcff": 1}}, "surrogate"),
        ({"metadata": {"a\0b": 1}}, "NUL"),
        ({"metadata": {"k": [1, {"l": {"\0": 1}}]}}, "NUL"),
        ({"metadata": {"k" * 8193: 1}}, "path of 8193 bytes"),
        ({"metadata": {"é" * 2048: {"k" * 4096: 1}}}, "path of 8193 bytes"),
        ({"metadata": {"k" * 60_000: 1}}, "path of 60000 bytes"),
        ({"tags": tuple("t" * 8192 for _ in range(9))}, "73728 bytes"),
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
    assert bad.error_type is InvalidRequest
    index.refresh()
    assert index.count() == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"metadata": {"k" * 8192: "\U0001f600" * 4096, "é" * 2048: {"k" * 4095: "v" * 4097}}},
        {"metadata": nested(19)},
        {"metadata": {"k": [[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]}},
        {"metadata": {"least": -(2**63), "most": 2**64 - 1, "large": 1.7976931348623157e308, "zero": -0.0}},
        {"metadata": {"": 1, ".": 2, "a..b": 3, " ": {"": 4}, "a": {"b": 5}, "a.b": 6, "*": [], "_id": {}}},
        {"metadata": {"nul": "a\0b", "control": "\x01\n\u2028", "last": "\uffff"}},
        {"metadata": {f"key {number}": number for number in range(3000)}},
        {"tags": ("t" * 8192, "", "a\0b"), "sources": ("s" * 8192,), "title": "word " * 13_000},
    ],
)
def test_what_is_just_within_the_limits_is_kept_by_both(
    index: Index, rng: np.random.Generator, fields: dict[str, object]
) -> None:
    put = record("1", rng).replaced(**fields)
    (written,) = index.put([put])
    assert (written.status, written.reason) == (Status.ADDED, "")
    index.refresh()
    got = index.get([put.key])[put.key]
    assert {name: getattr(got, name) for name in fields} == fields
    assert index.count() == 1


@pytest.mark.parametrize(
    "ask",
    [
        lambda index: index.get([Key("default", "\ud800")]),
        lambda index: index.known([Key("default", "\ud800")]),
        lambda index: index.delete([Key("default", "\ud800")]),
        lambda index: index.keys_of("\ud800"),
        lambda index: index.count(Filter(("a\ud800",))),
        lambda index: index.count(Filter(terms={"tags": ("ok", "\ud800")})),
        lambda index: index.count(Filter(terms={"k\ud800": ("v",)})),
        lambda index: index.page(Filter(terms={"k": ("\ud800",)}), cursor=None, limit=1),
        lambda index: index.ask_words("a \ud800", 5, Filter()),
        lambda index: index.ask_bytes(["\ud800"], Filter()),
        lambda index: index.state.get([Ref("kind", "\ud800")]),
        lambda index: index.state.find(
            EntryFilter(kind="kind"),
            order="n",
            cursor=cursor_of(EntryFilter(kind="kind"), "n", False, Place(2**63, "a")),
        ),
    ],
)
def test_a_question_that_no_index_takes_is_refused(index: Index, ask: Callable[[Index], object]) -> None:
    with pytest.raises(InvalidRequest):
        ask(index)
