"""Entries of the state as rows: the tables, one entry in and out, and what a listing asks for as SQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import orjson

from facsimile.search.index.state.base import Entry, EntryFilter, Ref

#: kept as `user_version`; 0 is a database whose tables nobody finished making
LAYOUT = 1

#: a condition that fewer entries meet is looked up first; otherwise the listing is walked and looks back
FEW = 5000

# `entries.number` is never used twice, and an update takes a new one: it is the version of an entry.
TABLES = f"""
CREATE TABLE entries (
    number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL,
    terms TEXT NOT NULL, numbers TEXT NOT NULL, body BLOB NOT NULL, UNIQUE (kind, id));
CREATE TABLE terms (kind TEXT, name TEXT, value TEXT, id TEXT,
                    PRIMARY KEY (kind, name, value, id)) WITHOUT ROWID;
CREATE TABLE numbers (kind TEXT, name TEXT, value INTEGER, id TEXT,
                      PRIMARY KEY (kind, name, value, id)) WITHOUT ROWID;
CREATE UNIQUE INDEX numbers_of ON numbers (kind, name, id);
PRAGMA user_version = {LAYOUT};
"""

COLUMNS = "entries.kind, entries.id, entries.terms, entries.numbers, entries.body, entries.number"
BY_REF = "FROM entries WHERE kind = ? AND id = ?"

#: a condition on the entry at `place`, and its values
StateCondition = tuple[str, tuple[Any, ...]]


def put_entry(connection: sqlite3.Connection, entry: Entry, body: bytes) -> Entry | None:
    """Write an entry within the caller's transaction; None where another version is stored."""
    stored = connection.execute(f"SELECT number {BY_REF}", entry.ref).fetchone()
    if (stored[0] if stored else None) != entry.version:
        return None
    remove_entry(connection, entry.ref)
    terms, numbers = (orjson.dumps(dict(part)).decode() for part in (entry.terms, entry.numbers))
    number = connection.execute(
        "INSERT INTO entries (kind, id, terms, numbers, body) VALUES (?, ?, ?, ?, ?)",
        (*entry.ref, terms, numbers, body),
    ).lastrowid
    connection.executemany(
        "INSERT INTO terms VALUES (?, ?, ?, ?)",
        [(entry.kind, name, value, entry.id) for name, some in entry.terms.items() for value in set(some)],
    )
    connection.executemany(
        "INSERT INTO numbers VALUES (?, ?, ?, ?)",
        [(entry.kind, name, value, entry.id) for name, value in entry.numbers.items()],
    )
    return entry.replaced(version=number)


def remove_entry(connection: sqlite3.Connection, ref: Ref) -> None:
    """Forget an entry, if it is there, within the caller's transaction."""
    stored = connection.execute(f"SELECT terms, numbers {BY_REF}", ref).fetchone()
    if stored is None:
        return
    terms, numbers = map(orjson.loads, stored)
    connection.executemany(
        "DELETE FROM terms WHERE kind = ? AND name = ? AND value = ? AND id = ?",
        [(ref.kind, name, value, ref.id) for name, values in terms.items() for value in values],
    )
    connection.executemany(
        "DELETE FROM numbers WHERE kind = ? AND name = ? AND id = ?",
        [(ref.kind, name, ref.id) for name in numbers],
    )
    connection.execute(f"DELETE {BY_REF}", ref)


def entry_of(row: tuple[Any, ...]) -> Entry:
    """The entry of a row of `COLUMNS`."""
    kind, id, terms, numbers, body, number = row
    return Entry(
        kind=kind,
        id=id,
        terms={name: tuple(values) for name, values in orjson.loads(terms).items()},
        numbers=orjson.loads(numbers),
        body=orjson.loads(body),
        version=number,
    )


def of_kind(where: EntryFilter, name: str = "") -> StateCondition:
    """The row at `place` is of this kind and, where one is given, name."""
    if name:
        return "place.kind = ? AND place.name = ?", (where.kind, name)
    return "place.kind = ?", (where.kind,)


def conditions_of(
    where: EntryFilter, order: str = "", paged: sqlite3.Connection | None = None
) -> list[StateCondition]:
    """What an entry at `place` must meet. `order` is the number that `place` has itself.

    Whoever stops early hands in a connection to look which way is the faster one.
    """
    conditions: list[StateCondition] = []
    for name, values in where.terms.items():
        sql = "kind = ? AND name = ? AND value IN (SELECT value FROM json_each(?))"
        listed = orjson.dumps(values).decode()
        conditions.append(_among(f"terms WHERE {sql}", (where.kind, name, listed), paged))
    for name, bounds in where.between.items():
        limits = [(sign, bound) for sign, bound in zip((">=", "<"), bounds, strict=True) if bound is not None]
        if name == order:
            conditions += [(f"place.value {sign} ?", (bound,)) for sign, bound in limits]
            continue
        sql = " AND ".join(["kind = ? AND name = ?", *(f"value {sign} ?" for sign, _ in limits)])
        within = (bound for _, bound in limits)
        conditions.append(_among(f"numbers WHERE {sql}", (where.kind, name, *within), paged))
    return conditions


def _among(rows: str, values: tuple[Any, ...], paged: sqlite3.Connection | None) -> StateCondition:
    """The entry at `place` is among these rows: collected beforehand, or looked for where they are many."""
    if paged is not None:
        found = paged.execute(f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {FEW})", values)
        if found.fetchone()[0] == FEW:
            return f"EXISTS (SELECT 1 FROM {rows} AND id = place.id)", values
    return f"place.id IN (SELECT id FROM {rows})", values


def summed(connection: sqlite3.Connection, where: EntryFilter, name: str) -> int:
    """The sum of a number, in two halves: SQLite fails where one goes beyond 64 bits."""
    high, low = select(
        connection,
        "SELECT sum(place.value >> 32), sum(place.value & 4294967295) FROM numbers AS place",
        [of_kind(where, name), *conditions_of(where, name)],
    ).fetchone()
    return 0 if high is None else (high << 32) + low


def select(
    connection: sqlite3.Connection, what: str, conditions: Sequence[StateCondition], end: str = ""
) -> sqlite3.Cursor:
    """The rows of a SELECT that meet all the conditions; `end` says in which order and how many."""
    sql = " AND ".join(sql for sql, _ in conditions)
    values = [value for _, values in conditions for value in values]
    return connection.execute(f"{what} WHERE {sql} {end}", values)
