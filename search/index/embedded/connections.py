"""Connections to a database of the embedded index, for any number of threads and processes."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facsimile.search.errors import StoreError
from facsimile.search.index.embedded.schema import connect, is_sealed, translated


class Connections:
    """The connections to one database. Each serves one thread at a time and is kept for the next."""

    def __init__(self, folder: Path, database: str) -> None:
        self.folder = folder
        self._database = database
        self._idle: deque[sqlite3.Connection] = deque()
        self._closed = False

    @contextmanager
    def connection(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """A connection outside any transaction; what goes wrong is raised as an error of ours."""
        if self._closed:
            raise StoreError(f"the index in {self.folder} was closed")
        with translated(self.folder, self._database):
            sealed = not create and is_sealed(self.folder, self._database)
            connection = None if sealed else self._kept()
            if connection is None:
                connection = connect(self.folder, self._database, create=create, sealed=sealed)
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if sealed:
                    connection.close()
                else:
                    self._idle.append(connection)

    def _kept(self) -> sqlite3.Connection | None:
        try:
            return self._idle.pop()
        except IndexError:
            return None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: what others commit meanwhile does not show."""
        with self.connection() as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """The write lock: all of it is kept, or nothing where an error leaves the block."""
        with self.connection(create=create) as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._closed = True
        while self._idle:
            self._idle.pop().close()
