"""The state of an embedded index: a database of its own beside the records, so that no reindex touches it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from search.errors import IndexMismatch, IndexMissing
from search.index.embedded_connections import Connections
from search.index.embedded_schema import DATABASE, STATE, run_statements
from search.index.state import PAGE, Entry, Listing, Ref, State, Wanted
from search.index.state_entries import (
    MOST_ENTRIES,
    MOST_VALUES,
    PAGE_BYTES,
    Place,
    bodies_of,
    check_wanted,
    cursor_of,
    distinct,
    place_of,
)

#: kept as `user_version`; 0 is a database whose tables nobody finished making
LAYOUT = 1

#: a condition that fewer entries meet is looked up first; otherwise the listing is walked and looks back
FEW = 5000

# `entries.number` is never used twice, and an update takes a new one: it is the version of an entry.
_TABLES = f"""
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

_COLUMNS = "entries.kind, entries.id, entries.terms, entries.numbers, entries.body, entries.number"
_BY_REF = "FROM entries WHERE kind = ? AND id = ?"

#: a condition on the entry at `place`, and its values
_Condition = tuple[str, tuple[Any, ...]]


class EmbeddedState(State):
    """Entries in the folder of an embedded index; its file is made by the first write.

    `find` and the others see every write that has returned. One call of `put` is one transaction.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / STATE
        self._connections = Connections(folder, STATE)

    def put(self, entries: Sequence[Entry]) -> list[Entry | None]:
        bodies = bodies_of(entries)
        with self._writing() as connection:
            return [_put(connection, entry, body) for entry, body in zip(entries, bodies, strict=True)]

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Entry]:
        found: dict[Ref, Entry] = {}
        with self._reading() as connection:
            if connection:
                for ref in distinct(refs):
                    for row in connection.execute(f"SELECT {_COLUMNS} {_BY_REF}", ref):
                        found[ref] = _entry(row)
        return found

    def delete(self, refs: Iterable[Ref]) -> None:
        some = distinct(refs)
        if not self._path.exists():
            return
        with self._writing() as connection:
            for ref in some:
                _remove(connection, ref)

    def find(
        self,
        wanted: Wanted,
        *,
        order: str = "",
        descending: bool = False,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Listing:
        check_wanted(wanted, *[order] * bool(order))
        after = None if cursor is None else place_of(wanted, order, descending, cursor)
        size = max(1, min(limit, MOST_ENTRIES))
        by = ("place.value, place.id" if order else "place.id").split(", ")
        conditions = [_of_kind(wanted, order)]
        if after:
            places = after if order else after[1:]
            sign = "<" if descending else ">"
            conditions.append((f"({', '.join(by)}) {sign} ({', '.join('?' for _ in by)})", tuple(places)))
        direction = "DESC" if descending else "ASC"
        entries: list[Entry] = []
        weight = 0
        with self._reading() as connection:
            if not connection:
                return Listing([], None)
            conditions += _conditions(wanted, order, paged=connection)
            rows = _select(
                connection,
                f"SELECT {_COLUMNS} FROM {'numbers' if order else 'entries'} AS place "
                "CROSS JOIN entries ON entries.kind = place.kind AND entries.id = place.id",
                conditions,
                f"ORDER BY {', '.join(f'{column} {direction}' for column in by)} LIMIT {size + 1}",
            )
            for row in rows:
                if len(entries) == size or weight > PAGE_BYTES:
                    last = Place(entries[-1].number(order), entries[-1].id)
                    return Listing(entries, cursor_of(wanted, order, descending, last))
                entries.append(_entry(row))
                weight += len(row[4])
        return Listing(entries, None)

    def count(self, wanted: Wanted) -> int:
        check_wanted(wanted)
        with self._reading() as connection:
            if not connection:
                return 0
            conditions = [_of_kind(wanted), *_conditions(wanted)]
            return int(_select(connection, "SELECT count(*) FROM entries AS place", conditions).fetchone()[0])

    def counts(self, wanted: Wanted, by: str) -> dict[str, int]:
        check_wanted(wanted, by)
        with self._reading() as connection:
            if not connection:
                return {}
            return dict(
                _select(
                    connection,
                    "SELECT place.value, count(*) FROM terms AS place",
                    [_of_kind(wanted, by), *_conditions(wanted)],
                    f"GROUP BY place.value ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES}",
                )
            )

    def sums(self, wanted: Wanted, names: Sequence[str]) -> dict[str, int]:
        check_wanted(wanted, *names)
        with self._reading() as connection:
            if not connection:
                return dict.fromkeys(names, 0)
            return {name: _sum(connection, wanted, name) for name in names}

    def refresh(self) -> None:
        """Nothing to do: each question sees all that was committed before it."""

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._connections.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """One snapshot; None where nothing was ever written."""
        if not self._path.exists():
            yield None
            return
        with self._connections.reading() as connection:
            yield connection if self._made(connection) else None

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        if not (self._folder / DATABASE).exists():
            raise IndexMissing(f"there is no index in {self._folder}; `facsimile index create` makes one")
        with self._connections.writing(create=not self._path.exists()) as connection:
            if not self._made(connection):
                run_statements(connection, _TABLES)
            yield connection

    def _made(self, connection: sqlite3.Connection) -> bool:
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            raise IndexMismatch(
                f"{self._path} has layout {layout}, this version reads {LAYOUT}: "
                "use the version that made it, or remove the file with its jobs and findings"
            )
        return bool(layout == LAYOUT)


def _put(connection: sqlite3.Connection, entry: Entry, body: bytes) -> Entry | None:
    """Write an entry within the caller's transaction; None where another version is stored."""
    stored = connection.execute(f"SELECT number {_BY_REF}", entry.ref).fetchone()
    if (stored[0] if stored else None) != entry.version:
        return None
    _remove(connection, entry.ref)
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


def _remove(connection: sqlite3.Connection, ref: Ref) -> None:
    stored = connection.execute(f"SELECT terms, numbers {_BY_REF}", ref).fetchone()
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
    connection.execute(f"DELETE {_BY_REF}", ref)


def _entry(row: tuple[Any, ...]) -> Entry:
    kind, id, terms, numbers, body, number = row
    return Entry(
        kind=kind,
        id=id,
        terms={name: tuple(values) for name, values in orjson.loads(terms).items()},
        numbers=orjson.loads(numbers),
        body=orjson.loads(body),
        version=number,
    )


def _of_kind(wanted: Wanted, name: str = "") -> _Condition:
    """The row at `place` is of this kind and, where one is given, name."""
    if name:
        return "place.kind = ? AND place.name = ?", (wanted.kind, name)
    return "place.kind = ?", (wanted.kind,)


def _conditions(wanted: Wanted, order: str = "", paged: sqlite3.Connection | None = None) -> list[_Condition]:
    """What an entry at `place` must meet. `order` is the number that `place` has itself.

    Whoever stops early hands in a connection to look which way is the faster one.
    """
    conditions: list[_Condition] = []
    for name, values in wanted.terms.items():
        sql = "kind = ? AND name = ? AND value IN (SELECT value FROM json_each(?))"
        listed = orjson.dumps(values).decode()
        conditions.append(_among(f"terms WHERE {sql}", (wanted.kind, name, listed), paged))
    for name, bounds in wanted.between.items():
        limits = [(sign, bound) for sign, bound in zip((">=", "<"), bounds, strict=True) if bound is not None]
        if name == order:
            conditions += [(f"place.value {sign} ?", (bound,)) for sign, bound in limits]
            continue
        sql = " AND ".join(["kind = ? AND name = ?", *(f"value {sign} ?" for sign, _ in limits)])
        within = (bound for _, bound in limits)
        conditions.append(_among(f"numbers WHERE {sql}", (wanted.kind, name, *within), paged))
    return conditions


def _among(rows: str, values: tuple[Any, ...], paged: sqlite3.Connection | None) -> _Condition:
    """The entry at `place` is among these rows: collected beforehand, or looked for where they are many."""
    if paged is not None:
        found = paged.execute(f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT {FEW})", values)
        if found.fetchone()[0] == FEW:
            return f"EXISTS (SELECT 1 FROM {rows} AND id = place.id)", values
    return f"place.id IN (SELECT id FROM {rows})", values


def _sum(connection: sqlite3.Connection, wanted: Wanted, name: str) -> int:
    """The sum of a number, in two halves: SQLite fails where one goes beyond 64 bits."""
    high, low = _select(
        connection,
        "SELECT sum(place.value >> 32), sum(place.value & 4294967295) FROM numbers AS place",
        [_of_kind(wanted, name), *_conditions(wanted, name)],
    ).fetchone()
    return 0 if high is None else (high << 32) + low


def _select(
    connection: sqlite3.Connection, select: str, conditions: Sequence[_Condition], end: str = ""
) -> sqlite3.Cursor:
    sql = " AND ".join(sql for sql, _ in conditions)
    values = [value for _, values in conditions for value in values]
    return connection.execute(f"{select} WHERE {sql} {end}", values)
