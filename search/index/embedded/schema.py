"""The database of the embedded index: its tables, how it is opened, and sqlite3's errors as ours."""

from __future__ import annotations

import dataclasses
import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from facsimile.search.errors import IndexNotFound, IndexReadOnly, IndexUnavailable, InvalidRequest, StoreError
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.permissions import DATABASE, make_file, may_write

#: raised when the tables or the array files change their shape, or a field its meaning; since 3, `pixels`
#: covers the whole content of a file, and `gone` has the places that lost it; since 4, there are `pages`
LAYOUT = 4

#: the file of the entries beside the records (see `state`)
STATE = "state.sqlite"

#: how long a writer waits for other writers
BUSY_SECONDS = 30

#: pages of the write-ahead log before it is folded into the database: a batch of thumbnails fills many
CHECKPOINT_PAGES = 4000

# `records.number` is never used twice, and an update takes a new one: it tells versions of a record apart.
# `records.slot` numbers the rows of the arrays (see `arrays`). `terms` are what filters look up:
# source, gone, page, site, tags and each leaf of the metadata. Thumbnails and vectors lie apart so that
# reading many records stays cheap; the triggers keep the count of each collection.
TABLES = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value NOT NULL) WITHOUT ROWID;
CREATE TABLE extent (generation INTEGER NOT NULL, hashes INTEGER NOT NULL, panels INTEGER NOT NULL,
                     slots INTEGER NOT NULL, dead INTEGER NOT NULL);
CREATE TABLE records (
    number INTEGER PRIMARY KEY AUTOINCREMENT, slot INTEGER NOT NULL UNIQUE,
    collection TEXT NOT NULL, id TEXT NOT NULL, sha256 TEXT NOT NULL, pixels TEXT NOT NULL,
    width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL, size INTEGER NOT NULL,
    quality INTEGER NOT NULL, bits BLOB NOT NULL, bits_trimmed BLOB, panels BLOB NOT NULL,
    sources TEXT NOT NULL, title TEXT NOT NULL, tags TEXT NOT NULL, metadata TEXT NOT NULL,
    added_at TEXT NOT NULL, gone TEXT NOT NULL DEFAULT '[]',
    pages TEXT NOT NULL DEFAULT '[]', UNIQUE (collection, id));
CREATE INDEX records_sha256 ON records (sha256);
CREATE INDEX records_pixels ON records (pixels);
CREATE TABLE vectors (number INTEGER PRIMARY KEY, vector BLOB NOT NULL);
CREATE TABLE thumbnails (number INTEGER PRIMARY KEY, thumbnail BLOB NOT NULL);
CREATE TABLE terms (path TEXT, value TEXT, number INTEGER,
                    PRIMARY KEY (path, value, number)) WITHOUT ROWID;
CREATE VIRTUAL TABLE words USING fts5(title, tags, tokenize = 'unicode61');
CREATE TABLE collections (name TEXT PRIMARY KEY, records INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER record_added AFTER INSERT ON records BEGIN
    INSERT INTO collections VALUES (new.collection, 1)
    ON CONFLICT (name) DO UPDATE SET records = records + 1;
END;
CREATE TRIGGER record_deleted AFTER DELETE ON records BEGIN
    UPDATE collections SET records = records - 1 WHERE name = old.collection;
    DELETE FROM collections WHERE name = old.collection AND records = 0;
    DELETE FROM vectors WHERE number = old.number;
    DELETE FROM thumbnails WHERE number = old.number;
    DELETE FROM words WHERE rowid = old.number;
END;
INSERT INTO extent VALUES (1, 0, 0, 0, 0);
"""


#: the checksums of the array files (see `arrays`); made by the first write, since not every index of
#: this layout has them
CHECKSUMS = """CREATE TABLE IF NOT EXISTS checksums (
    file TEXT PRIMARY KEY, generation INTEGER NOT NULL, rows INTEGER NOT NULL, crc INTEGER NOT NULL
) WITHOUT ROWID"""


def is_sealed(folder: Path, database: str) -> bool:
    """Whether a database can only be read as it lies there.

    Its log is folded in, so that the file is whole, and SQLite could not make the files that coordinate
    readers with writers. Somebody else may still write, and begins a log: this is true for the moment.
    """
    path = folder / database
    if not path.exists() or may_write(path):
        return False
    log = path.with_name(f"{database}-wal")
    return not log.exists() or log.stat().st_size == 0


def connect(folder: Path, database: str, *, create: bool = False, sealed: bool = False) -> sqlite3.Connection:
    """A connection with transactions left to the caller, usable from any one thread at a time.

    A `sealed` one sees nothing of what others write, and must not outlive one reading.
    """
    path = folder / database
    if create:
        make_file(path)
    how = "mode=ro&immutable=1" if sealed else "mode=rw" if create or may_write(path) else "mode=ro"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    if create:
        _write_ahead(connection)
    # a power cut may take the last commits, never the database
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return connection


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Keep a log, so that readers and one writer never wait for each other; the file remembers it.

    SQLite does not wait where several connections do this to a new file at once, since each would wait for
    the others: all but one are told that it is locked, and try again.
    """
    end = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
            time.sleep(0.005)
        else:
            return


def create_tables(connection: sqlite3.Connection, signatures: Signatures) -> None:
    """Make the empty tables, inside the caller's transaction."""
    run_statements(connection, TABLES)
    made = {"layout": LAYOUT, **dataclasses.asdict(signatures)}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", made.items())


def widen(connection: sqlite3.Connection) -> None:
    """Give the tables of an earlier layout the columns that they lack, inside the caller's transaction.

    Programs of that layout go on with them.
    """
    columns = {name for _, name, *_ in connection.execute("PRAGMA table_info(records)")}
    if "panels" not in columns:
        connection.execute("ALTER TABLE records ADD COLUMN panels BLOB NOT NULL DEFAULT x''")
        connection.execute("ALTER TABLE extent ADD COLUMN panels INTEGER NOT NULL DEFAULT 0")
    if "gone" not in columns:
        connection.execute("ALTER TABLE records ADD COLUMN gone TEXT NOT NULL DEFAULT '[]'")
    if "pages" not in columns:
        connection.execute("ALTER TABLE records ADD COLUMN pages TEXT NOT NULL DEFAULT '[]'")


def run_statements(connection: sqlite3.Connection, statements: str) -> None:
    """Run statements one by one: `executescript` would end the caller's transaction."""
    statement = ""
    for line in statements.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""


def set_made(connection: sqlite3.Connection, signatures: Signatures) -> None:
    """Say that the records have these signatures in the present layout, inside the caller's transaction."""
    made = {"layout": LAYOUT, **dataclasses.asdict(signatures)}
    connection.executemany("UPDATE meta SET value = ? WHERE name = ?", [(made[name], name) for name in made])


def stored_layout(connection: sqlite3.Connection) -> tuple[int, Signatures] | None:
    """Layout and signatures that the index was made with; None where its creation was not finished."""
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return None
    meta = dict(connection.execute("SELECT name, value FROM meta"))
    return meta["layout"], Signatures(hash=meta["hash"], model=meta["model"], dims=meta["dims"])


@contextmanager
def translated(folder: Path, database: str = DATABASE) -> Iterator[None]:
    """Raise the errors of sqlite3, of the file system and of text that neither takes as ours."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translation(folder, database, error) from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise IndexReadOnly(f"the disk of {folder} is full: {error}") from error
        if error.errno in (errno.EEXIST, errno.ENOTDIR):
            raise InvalidRequest(f"{folder} is no folder, and an index needs one") from error
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            raise IndexReadOnly(f"{folder} cannot be opened, or cannot be written: {error}") from error
        raise StoreError(f"{folder} cannot be read or written: {error}") from error
    except UnicodeEncodeError as error:
        raise InvalidRequest(f"{error.object[:80]!r} is not valid Unicode") from error


def _translation(folder: Path, database: str, error: sqlite3.Error) -> StoreError:
    # the low byte of an extended code is its kind; errors of Python's module itself have none
    match getattr(error, "sqlite_errorcode", 0) & 0xFF:
        case sqlite3.SQLITE_FULL:
            return IndexReadOnly(f"the disk of {folder} is full: nothing of this write was kept")
        case sqlite3.SQLITE_CANTOPEN if not (folder / database).exists():
            return IndexNotFound(f"there is no index in {folder}; `facsimile ingest PHOTOS` makes one")
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM | sqlite3.SQLITE_CANTOPEN as code:
            done = "opened" if code == sqlite3.SQLITE_CANTOPEN else "written"
            return IndexReadOnly(f"{folder} cannot be {done}: {error}; check its permissions")
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return IndexUnavailable(f"another process kept {folder} for {BUSY_SECONDS} s; try again later")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            return StoreError(
                f"{folder / database} is damaged ({error}): put back a backup of the folder, "
                "or ingest into a new one"
            )
        case _:
            return StoreError(f"{folder} failed: {error}")
