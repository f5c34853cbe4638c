"""Give the records of an embedded index other signatures while it serves, and put them in place at once.

New signatures gather in a database of their own, `records.sqlite.next`, under the numbers of the records. No
number is used twice, and whatever is written gets one beyond all others: so the numbers are a log, and the
largest one that has new signatures tells where a rebuild that was cut short goes on.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from facsimile.imaging.record import ImageRecord
from facsimile.search.errors import IndexUnavailable, InvalidRequest
from facsimile.search.index.base import Progress, RecordTransform, Signatures
from facsimile.search.index.embedded.permissions import DATABASE, make_file
from facsimile.search.index.embedded.rows import COLUMNS, hash_blobs, records_of, vector_blob
from facsimile.search.index.embedded.schema import LAYOUT, set_made, translated, widen
from facsimile.search.index.embedded.store import RecordStore

NEXT = f"{DATABASE}.next"

#: records that get new signatures between two commits: what a kill costs at most
AT_ONCE = 128

_TABLES = """
DROP TABLE IF EXISTS plan;
DROP TABLE IF EXISTS signatures;
CREATE TABLE plan (old TEXT NOT NULL, new TEXT NOT NULL);
CREATE TABLE signatures (
    number INTEGER PRIMARY KEY, pixels TEXT NOT NULL, quality INTEGER NOT NULL,
    bits BLOB NOT NULL, bits_trimmed BLOB, panels BLOB NOT NULL, vector BLOB);
"""

_HASHES = "pixels, quality, bits, bits_trimmed, panels"


def rebuild(
    store: RecordStore,
    old: Signatures,
    new: Signatures,
    transform: RecordTransform | None,
    progress: Progress | None,
) -> None:
    """Rebuild the array files from the records, whose signatures `transform` makes anew where it is given,
    and bring an older layout to the present one.

    Searches and writes go on all the while; writers wait for the last transaction only, which also describes
    what was written since it was last looked. After it, whoever has the index open with other signatures gets
    IndexMismatch. After a crash, the next call with the same signatures continues. Raises IndexUnavailable
    where another process is at it.
    """
    if new != old and transform is None:
        raise InvalidRequest("other signatures need other vectors or hashes: give the means to compute them")
    with _gathering(store.folder, old, new) as gathered:
        with store.writing() as connection:
            widen(connection)
        if transform:
            _describe_most(store, gathered, transform, progress)
        with store.writing() as connection:
            if transform:
                while batch := _written_since(connection, gathered):
                    _describe(gathered, batch, transform)
                _put_in_place(connection, gathered)
            set_made(connection, new)
            RecordStore(store.folder, new).rebuild(connection)


@contextmanager
def _gathering(folder: Path, old: Signatures, new: Signatures) -> Iterator[sqlite3.Connection]:
    """The database of new signatures, locked; removed once the block has come to its end."""
    path = folder / NEXT
    plan = (str(old), f"{new}, layout {LAYOUT}")
    with translated(folder):
        make_file(path)
        gathered = sqlite3.connect(path, timeout=0, isolation_level=None)
        try:
            _lock(gathered, folder)
            if not _is_for(gathered, plan):
                gathered.executescript(_TABLES)
                gathered.execute("INSERT INTO plan VALUES (?, ?)", plan)
            yield gathered
        finally:
            gathered.close()
        path.unlink(missing_ok=True)


def _lock(gathered: sqlite3.Connection, folder: Path) -> None:
    """Keep other processes out until the connection is closed, or its process is dead."""
    gathered.execute("PRAGMA locking_mode = EXCLUSIVE")
    try:
        gathered.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
            raise
        raise IndexUnavailable(f"another process is re-indexing {folder}; wait until it is done") from None
    gathered.execute("COMMIT")


def _is_for(gathered: sqlite3.Connection, plan: tuple[str, str]) -> bool:
    if not gathered.execute("SELECT 1 FROM sqlite_master WHERE name = 'plan'").fetchone():
        return False
    return bool(gathered.execute("SELECT old, new FROM plan").fetchone() == plan)


def _describe_most(
    store: RecordStore, gathered: sqlite3.Connection, transform: RecordTransform, progress: Progress | None
) -> None:
    """Describe until next to nothing is left; what others write meanwhile is met at the end of the log."""
    with store.reading() as connection:
        total, done = connection.execute(
            "SELECT count(*), count(CASE WHEN number <= ? THEN 1 END) FROM records", _last(gathered)
        ).fetchone()
    while True:
        with store.reading() as connection:
            batch = _written_since(connection, gathered)
        _describe(gathered, batch, transform)
        done += len(batch)
        if progress:
            progress(done, max(total, done))
        if len(batch) < AT_ONCE:
            return


def _written_since(
    connection: sqlite3.Connection, gathered: sqlite3.Connection
) -> list[tuple[int, ImageRecord]]:
    """The next records that have no new signatures yet, with their numbers."""
    rows = connection.execute(
        f"SELECT number, {COLUMNS} FROM records WHERE number > ? ORDER BY number LIMIT {AT_ONCE}",
        _last(gathered),
    ).fetchall()
    numbers = [row[0] for row in rows]
    return list(zip(numbers, records_of(connection, rows, full=True), strict=True))


def _last(gathered: sqlite3.Connection) -> tuple[int]:
    """The largest number that has new signatures."""
    return (gathered.execute("SELECT coalesce(max(number), 0) FROM signatures").fetchone()[0],)


def _describe(
    gathered: sqlite3.Connection, batch: Sequence[tuple[int, ImageRecord]], transform: RecordTransform
) -> None:
    made = transform([record for _, record in batch])
    rows: list[tuple[Any, ...]] = [
        (number, record.pixels, record.quality, *hash_blobs(record), vector_blob(record.vector))
        for (number, _), record in zip(batch, made, strict=True)
    ]
    gathered.execute("BEGIN")
    gathered.executemany("INSERT INTO signatures VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    gathered.execute("COMMIT")


def _put_in_place(connection: sqlite3.Connection, gathered: sqlite3.Connection) -> None:
    """Write the new signatures of all records that are still there, within the caller's transaction."""
    connection.executemany(
        f"UPDATE records SET ({_HASHES}) = (?, ?, ?, ?, ?) "
        f"WHERE number = ? AND ({_HASHES}) IS NOT (?, ?, ?, ?, ?)",
        gathered.execute(f"SELECT {_HASHES}, number, {_HASHES} FROM signatures ORDER BY number"),
    )
    connection.execute("DELETE FROM vectors")
    connection.executemany(
        "INSERT INTO vectors SELECT ?, ? WHERE EXISTS (SELECT 1 FROM records WHERE number = ?)",
        gathered.execute(
            "SELECT number, vector, number FROM signatures WHERE vector IS NOT NULL ORDER BY number"
        ),
    )
