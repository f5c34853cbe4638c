"""The state of an embedded index: a database of its own beside the records, so that no reindex touches it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from facsimile.search.errors import IndexMismatch, IndexNotFound
from facsimile.search.index.embedded.connections import Connections
from facsimile.search.index.embedded.permissions import DATABASE
from facsimile.search.index.embedded.schema import STATE, run_statements
from facsimile.search.index.embedded.state_rows import (
    BY_REF,
    COLUMNS,
    LAYOUT,
    TABLES,
    conditions_of,
    entry_of,
    of_kind,
    put_entry,
    remove_entry,
    select,
    summed,
)
from facsimile.search.index.state.base import PAGE, Entry, EntryFilter, Listing, Ref, State
from facsimile.search.index.state.validation import (
    MOST_ENTRIES,
    MOST_VALUES,
    PAGE_BYTES,
    Place,
    bodies_of,
    check_filter,
    cursor_of,
    distinct,
    place_of,
)


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
            return [put_entry(connection, entry, body) for entry, body in zip(entries, bodies, strict=True)]

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Entry]:
        found: dict[Ref, Entry] = {}
        some = distinct(refs)
        with self._reading() as connection:
            if connection:
                for ref in some:
                    for row in connection.execute(f"SELECT {COLUMNS} {BY_REF}", ref):
                        found[ref] = entry_of(row)
        return found

    def delete(self, refs: Iterable[Ref]) -> None:
        some = distinct(refs)
        if not self._path.exists():
            return
        with self._writing() as connection:
            for ref in some:
                remove_entry(connection, ref)

    def find(
        self,
        where: EntryFilter,
        *,
        order: str = "",
        descending: bool = False,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Listing:
        check_filter(where, *[order] * bool(order))
        after = None if cursor is None else place_of(where, order, descending, cursor)
        size = max(1, min(limit, MOST_ENTRIES))
        columns = ("place.value", "place.id") if order else ("place.id",)
        conditions = [of_kind(where, order)]
        if after:
            sign, marks = "<" if descending else ">", ", ".join("?" for _ in columns)
            conditions.append((f"({', '.join(columns)}) {sign} ({marks})", after[-len(columns) :]))
        direction = "DESC" if descending else "ASC"
        entries: list[Entry] = []
        weight = 0
        with self._reading() as connection:
            if not connection:
                return Listing([], None)
            conditions += conditions_of(where, order, paged=connection)
            rows = select(
                connection,
                f"SELECT {COLUMNS} FROM {'numbers' if order else 'entries'} AS place "
                "CROSS JOIN entries ON entries.kind = place.kind AND entries.id = place.id",
                conditions,
                f"ORDER BY {', '.join(f'{column} {direction}' for column in columns)} LIMIT {size + 1}",
            )
            for row in rows:
                if len(entries) == size or weight > PAGE_BYTES:
                    last = Place(entries[-1].number(order), entries[-1].id)
                    return Listing(entries, cursor_of(where, order, descending, last))
                entries.append(entry_of(row))
                weight += len(row[4])
        return Listing(entries, None)

    def kinds(self) -> list[str]:
        with self._reading() as connection:
            if not connection:
                return []
            return [kind for (kind,) in connection.execute("SELECT DISTINCT kind FROM entries ORDER BY kind")]

    def count(self, where: EntryFilter) -> int:
        check_filter(where)
        with self._reading() as connection:
            if not connection:
                return 0
            conditions = [of_kind(where), *conditions_of(where)]
            return int(select(connection, "SELECT count(*) FROM entries AS place", conditions).fetchone()[0])

    def counts(self, where: EntryFilter, by: str) -> dict[str, int]:
        check_filter(where, by)
        with self._reading() as connection:
            if not connection:
                return {}
            return dict(
                select(
                    connection,
                    "SELECT place.value, count(*) FROM terms AS place",
                    [of_kind(where, by), *conditions_of(where)],
                    f"GROUP BY place.value ORDER BY 2 DESC, 1 LIMIT {MOST_VALUES}",
                )
            )

    def sums(self, where: EntryFilter, names: Sequence[str]) -> dict[str, int]:
        check_filter(where, *names)
        with self._reading() as connection:
            if not connection:
                return dict.fromkeys(names, 0)
            return {name: summed(connection, where, name) for name in names}

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
            raise IndexNotFound(f"there is no index in {self._folder}; `facsimile ingest PHOTOS` makes one")
        with self._connections.writing(create=not self._path.exists()) as connection:
            if not self._made(connection):
                run_statements(connection, TABLES)
            yield connection

    def _made(self, connection: sqlite3.Connection) -> bool:
        (layout,) = connection.execute("PRAGMA user_version").fetchone()
        if layout not in (0, LAYOUT):
            raise IndexMismatch(
                f"{self._path} has layout {layout}, this version reads {LAYOUT}: "
                "use the version that made it, or remove the file with its jobs and findings"
            )
        return bool(layout == LAYOUT)
