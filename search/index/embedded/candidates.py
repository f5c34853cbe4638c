"""Exact scans of the embedded index, joined with the records that are alive and pass the filter."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from facsimile.imaging.describe import HashQuery
from facsimile.imaging.record import ImageRecord
from facsimile.search.index.embedded.arrays import ArrayView, Near, within
from facsimile.search.index.embedded.filters import FilterCondition, condition_of
from facsimile.search.index.embedded.rows import COLUMNS, record_of, vector_of
from facsimile.search.query import IndexQuery


def candidates(
    connection: sqlite3.Connection, view: ArrayView, questions: Sequence[IndexQuery]
) -> list[list[ImageRecord]]:
    """The candidates of each question, within one read transaction that the view belongs to."""
    found: list[dict[int, ImageRecord]] = [{} for _ in questions]
    for by in (_by_hash, _by_panel, _by_vector):
        for position, near, wanted in by(view, questions):
            question = questions[position]
            for slot, number, *row in _nearest(connection, near, wanted, condition_of(question.filter)):
                if slot not in found[position]:
                    vector = None if question.vector is None else _vector(connection, number)
                    found[position][slot] = record_of(row, vector=vector)
    for position, question in enumerate(questions):
        for slot, number, *row in _same(connection, question):
            if slot not in found[position]:
                vector = None if question.vector is None else _vector(connection, number)
                found[position][slot] = record_of(row, vector=vector)
    return [list(each.values()) for each in found]


def _by_hash(view: ArrayView, questions: Sequence[IndexQuery]) -> Iterator[tuple[int, Near, int]]:
    asking = [[variant for variant in question.variants if variant.wholes] for question in questions]
    return _near(view.hashes, questions, asking)


def _by_panel(view: ArrayView, questions: Sequence[IndexQuery]) -> Iterator[tuple[int, Near, int]]:
    asking = [[variant for variant in question.variants if variant.panels] for question in questions]
    return _near(view.panels, questions, asking)


def _near(
    hashes: NDArray[np.uint64], questions: Sequence[IndexQuery], variants: Sequence[Sequence[HashQuery]]
) -> Iterator[tuple[int, Near, int]]:
    asked = [place for place, each in enumerate(questions) if variants[place] and each.limit > 0]
    bits = [np.stack([variant.bits for variant in variants[place]]) for place in asked]
    nears = within(hashes, bits, [questions[place].radius for place in asked])
    for place, near in zip(asked, nears, strict=True):
        yield place, near, questions[place].limit


def _by_vector(view: ArrayView, questions: Sequence[IndexQuery]) -> Iterator[tuple[int, Near, int]]:
    for position, question in enumerate(questions):
        if question.vector is not None and question.nearest > 0:
            yield position, view.cosines(question.vector), question.nearest


def _nearest(
    connection: sqlite3.Connection, near: Near, wanted: int, condition: FilterCondition
) -> list[tuple[Any, ...]]:
    """Rows (slot, number, then `COLUMNS`) of the wanted nearest slots that have a record which passes.

    Most slots do, so a few more than wanted are looked up first; only where that was not enough, all
    slots that pass are read.
    """
    first = _least(near, 2 * wanted + 32)
    rows = _rows(connection, first, condition)
    if len(rows) < wanted and len(first) < len(near.slots):
        passing = connection.execute(f"SELECT slot FROM records WHERE {condition.sql}", condition.values)
        keep = np.isin(near.slots, np.fromiter((slot for (slot,) in passing), np.int64))
        rows = _rows(connection, _least(Near(near.slots[keep], near.costs[keep]), wanted), condition)
    return rows[:wanted]


def _least(near: Near, wanted: int) -> NDArray[np.int64]:
    """The slots of the least cost, in order."""
    slots, costs = near
    if wanted < len(slots):
        chosen = np.argpartition(costs, wanted)[:wanted]
        slots, costs = slots[chosen], costs[chosen]
    return slots[np.lexsort((slots, costs))]


def _rows(
    connection: sqlite3.Connection, slots: NDArray[np.int64], condition: FilterCondition
) -> list[tuple[Any, ...]]:
    return connection.execute(
        f"SELECT slot, number, {COLUMNS} FROM (SELECT key AS place, value AS wanted FROM json_each(?)) "
        f"CROSS JOIN records ON slot = wanted WHERE {condition.sql} ORDER BY place",
        (orjson.dumps(slots, option=orjson.OPT_SERIALIZE_NUMPY).decode(), *condition.values),
    ).fetchall()


def _same(connection: sqlite3.Connection, question: IndexQuery) -> list[tuple[Any, ...]]:
    """Rows as `_nearest` gives them, of the records that have one of the digests of the question."""
    if not question.digests:
        return []
    condition = condition_of(question.filter)
    sql = f"SELECT slot, number, {COLUMNS} FROM records WHERE (sha256 = ? OR pixels = ?) AND {condition.sql}"
    return [
        row
        for digest in dict.fromkeys(question.digests)
        for row in connection.execute(sql, (digest, digest, *condition.values))
    ]


def _vector(connection: sqlite3.Connection, number: int) -> NDArray[np.float32] | None:
    """The vector of a record, from the database: what is told of a match never rests on the arrays."""
    row = connection.execute("SELECT vector FROM vectors WHERE number = ?", (number,)).fetchone()
    return vector_of(row[0]) if row else None
