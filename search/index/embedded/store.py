"""What the embedded index does under one lock or in one snapshot: connections, transactions, array files."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import IndexMismatch, IndexReadOnly, StoreError
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded import rows
from facsimile.search.index.embedded.arrays import (
    Arrays,
    ArraysDamaged,
    ArrayView,
    Checksum,
    Checksums,
    Extent,
    array_files,
)
from facsimile.search.index.embedded.connections import Connections
from facsimile.search.index.embedded.permissions import DATABASE
from facsimile.search.index.embedded.schema import CHECKSUMS, STATE, stored_layout, translated

#: below this many dead slots the arrays are left alone
MIN_DEAD = 4096

#: rows that are read and written in one go while the arrays are rebuilt
REBUILD_ROWS = 4096

#: how often a reader looks again whose array files were replaced or damaged under its hands
VIEW_ATTEMPTS = 5


class RecordStore:
    """The folder of an embedded index.

    `signatures` are those that its user computes: every transaction begins with a look whether the index
    still has them, and raises IndexMismatch where it was built anew with others. None looks at nothing.
    """

    def __init__(self, folder: Path, signatures: Signatures | None) -> None:
        self.folder = folder
        self._signatures = signatures
        self._arrays = Arrays(folder, signatures.dims if signatures else 0)
        self._connections = Connections(folder, DATABASE)
        self.connection = self._connections.connection

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: what others commit meanwhile does not show."""
        with self._connections.reading() as connection:
            self._check(connection)
            yield connection

    @contextmanager
    def writing(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """The write lock: all of it is kept, or nothing where an error leaves the block."""
        with self._connections.writing(create=create) as connection:
            self._check(connection)
            yield connection

    def _check(self, connection: sqlite3.Connection) -> None:
        stored = stored_layout(connection)
        if self._signatures and stored and stored[1] != self._signatures:
            raise IndexMismatch(
                f"the index in {self.folder} was re-indexed with {stored[1]}, this program still uses "
                f"{self._signatures}: start it anew"
            )

    @contextmanager
    def viewing(self) -> Iterator[tuple[sqlite3.Connection, ArrayView]]:
        """A snapshot with the arrays that belong to it; damaged array files are rebuilt first."""
        for _ in range(VIEW_ATTEMPTS):
            with self.reading() as connection:
                try:
                    view = self._arrays.view(extent_of(connection))
                except ArraysDamaged:
                    pass
                else:
                    yield connection, view
                    return
            self.mend()
        raise StoreError(
            f"the array files in {self.folder} vanish again and again: another program removes them"
        )

    def mend(self) -> None:
        """Rebuild the array files where they are damaged, all rows compared."""
        try:
            with self.writing() as connection:
                self._arrays.forget()
                try:
                    self._arrays.view(extent_of(connection))
                except ArraysDamaged:
                    self.rebuild(connection)
        except IndexReadOnly as error:
            raise StoreError(
                f"the array files in {self.folder} are damaged and cannot be rebuilt: {error}"
            ) from error

    def replace(self, connection: sqlite3.Connection, records: Sequence[ImageRecord]) -> None:
        """Write records, each in place of the one under its key, within the caller's transaction."""
        extent = self._sound_extent(connection)
        self._sweep(extent)
        replaced = sum(rows.remove(connection, record.key) for record in records)
        after = self._arrays.append(
            extent,
            [rows.findable(record.quality, *rows.hash_blobs(record)) for record in records],
            [rows.vector_of(rows.vector_blob(record.vector)) for record in records],
        )
        for slot, record in enumerate(records, extent.slots):
            rows.insert(connection, slot, record)
        self._settle(connection, after._replace(dead=extent.dead + replaced))

    def remove(self, connection: sqlite3.Connection, keys: Sequence[Key]) -> int:
        """Forget records, within the caller's transaction; the answer is how many there were."""
        removed = sum(rows.remove(connection, key) for key in keys)
        extent = extent_of(connection)
        self._settle(connection, extent._replace(dead=extent.dead + removed))
        return removed

    def _settle(self, connection: sqlite3.Connection, extent: Extent) -> None:
        """Make the extent count, and rebuild the arrays where most of their slots are dead."""
        set_extent(connection, extent)
        if extent.dead > max(MIN_DEAD, extent.slots // 2):
            self.rebuild(connection)

    def _sound_extent(self, connection: sqlite3.Connection) -> Extent:
        """What counts, once no file lacks any of it."""
        extent = extent_of(connection)
        try:
            self._arrays.check(extent)
        except ArraysDamaged:
            self.rebuild(connection)
            extent = extent_of(connection)
        return extent

    def rebuild(self, connection: sqlite3.Connection) -> None:
        """Write a new generation of array files from the records, within the caller's transaction.

        The old files stay for those who still read them and for the case that the caller fails.
        """
        extent = Extent(extent_of(connection).generation + 1, 0, 0, 0, 0)
        last = -1
        while batch := connection.execute(
            "SELECT slot, number, quality, bits, bits_trimmed, panels, vector FROM records "
            "LEFT JOIN vectors USING (number) WHERE slot > ? ORDER BY slot LIMIT ?",
            (last, REBUILD_ROWS),
        ).fetchall():
            # a slot only moves down, past those already read: none is met twice
            last = batch[-1][0]
            connection.executemany(
                "UPDATE records SET slot = ? WHERE number = ?",
                [(slot, row[1]) for slot, row in enumerate(batch, extent.slots)],
            )
            extent = self._arrays.append(
                extent,
                [rows.findable(*row[2:6]) for row in batch],
                [rows.vector_of(row[6]) for row in batch],
            )
        set_extent(connection, extent)

    def sweep(self) -> None:
        """Remove array files that a rebuild replaced, or that one left which never ended."""
        with self.reading() as connection:
            strays = self._arrays.strays(extent_of(connection))
        if strays:  # a rebuild under way has such files too, hence the lock and the second look
            with self.writing() as connection:
                self._sweep(extent_of(connection))

    def _sweep(self, extent: Extent) -> None:
        for path in self._arrays.strays(extent):
            with suppress(OSError):  # where another process has it open and the system forbids removal
                path.unlink()

    def files(self) -> list[Path]:
        """Every file of the index, those of its state included."""
        with translated(self.folder):
            databases = [path for name in (DATABASE, STATE) for path in self.folder.glob(f"{name}*")]
            return [*databases, *array_files(self.folder)]

    def size(self) -> int:
        """Bytes of all files."""
        size = 0
        for path in self.files():
            with suppress(FileNotFoundError):  # another process may just have removed what a rebuild replaced
                size += path.stat().st_size
        return size

    def close(self) -> None:
        """Let go of the connections; a second call does nothing."""
        self._connections.close()


def extent_of(connection: sqlite3.Connection) -> Extent:
    """What of the array files counts in this transaction."""
    sql = "SELECT generation, hashes, panels, slots, dead FROM extent"
    extent = Extent(*connection.execute(sql).fetchone())
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'checksums'").fetchone():
        return extent
    sql = "SELECT file, rows, crc FROM checksums WHERE generation = ?"
    found = {file: Checksum(*rest) for file, *rest in connection.execute(sql, (extent.generation,))}
    return extent._replace(checksums=Checksums(**found))


def set_extent(connection: sqlite3.Connection, extent: Extent) -> None:
    """Change what of the array files counts once this transaction is kept."""
    connection.execute(
        "UPDATE extent SET generation = ?, hashes = ?, panels = ?, slots = ?, dead = ?", extent[:5]
    )
    connection.execute(CHECKSUMS)
    connection.execute("DELETE FROM checksums")
    connection.executemany(
        "INSERT INTO checksums VALUES (?, ?, ?, ?)",
        [
            (file, extent.generation, *checksum)
            for file, checksum in zip(Checksums._fields, extent.checksums, strict=True)
        ],
    )
