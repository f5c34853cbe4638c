"""The index that lives in a folder: SQLite is the truth, array files answer by exact scans."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing, suppress
from datetime import datetime
from pathlib import Path
from typing import Self

import orjson

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import (
    IndexAlreadyExists,
    IndexMismatch,
    IndexNotFound,
    IndexReadOnly,
    InvalidRequest,
)
from facsimile.search.index.base import (
    Index,
    IndexInfo,
    Known,
    Progress,
    RecordTransform,
    Signatures,
    Status,
    Written,
)
from facsimile.search.index.embedded.arrays import ArraysDamaged
from facsimile.search.index.embedded.candidates import candidates
from facsimile.search.index.embedded.filters import condition_of, cursor_of, key_of, words_expression
from facsimile.search.index.embedded.permissions import DATABASE, make_folder
from facsimile.search.index.embedded.reindex import rebuild
from facsimile.search.index.embedded.rows import COLUMNS, pages_of, records_of
from facsimile.search.index.embedded.schema import LAYOUT, create_tables, stored_layout, translated
from facsimile.search.index.embedded.state import EmbeddedState
from facsimile.search.index.embedded.store import RecordStore
from facsimile.search.index.validation import check_texts
from facsimile.search.query import Filter, IndexQuery, ListingPage

_BY_KEY = "FROM records WHERE collection = ? AND id = ?"


class EmbeddedIndex(Index):
    """An index in a folder of one machine; any number of its processes and threads may use it at once.

    Made by `create` or `open`. A question looks at every hash, so its time grows with their number;
    `benchmarks/embedded.py` measures it.
    """

    def __init__(self, folder: Path, signatures: Signatures) -> None:
        self.location = str(folder)
        self.signatures = signatures
        self.state: EmbeddedState = EmbeddedState(folder)
        self._store = RecordStore(folder, signatures)

    # -- life ----------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, path: str | Path, signatures: Signatures) -> Self:
        """Make an empty index in this folder (made where missing); IndexAlreadyExists where there is one."""
        folder = Path(path)
        with translated(folder):
            make_folder(folder)
        index = cls(folder, signatures)
        with index._store.writing(create=True) as connection:
            if stored_layout(connection):
                raise IndexAlreadyExists(f"there already is an index in {folder}")
            create_tables(connection, signatures)
        return index

    @classmethod
    def open(cls, path: str | Path, signatures: Signatures | None = None) -> Self:
        """The index in this folder; IndexNotFound where there is none.

        IndexMismatch where it was made by another version or with other signatures than these; None takes
        those it was made with.
        """
        folder = Path(path)
        layout, made = cls.stored(folder)
        if layout != LAYOUT:
            raise _other_layout(folder, layout)
        if signatures not in (None, made):
            raise IndexMismatch(
                f"the index in {folder} was made with {made}, this program uses {signatures}: "
                "`facsimile index reindex --model MODEL` computes others"
            )
        index = cls(folder, made)
        with suppress(IndexReadOnly):  # who may only read leaves them to others
            index._store.sweep()
        return index

    @classmethod
    def stored(cls, path: str | Path) -> tuple[int, Signatures]:
        """Layout and signatures of the index in this folder; IndexNotFound where there is none."""
        folder = Path(path)
        stored = None
        with translated(folder):
            found = (folder / DATABASE).is_file()
        if found:
            with closing(RecordStore(folder, None)) as store, store.reading() as connection:
                stored = stored_layout(connection)
        if stored is None:
            raise IndexNotFound(f"there is no index in {folder}; `facsimile ingest PHOTOS` makes one")
        return stored

    @classmethod
    def reindex(
        cls,
        path: str | Path,
        signatures: Signatures | None = None,
        *,
        transform: RecordTransform | None = None,
        progress: Progress | None = None,
    ) -> Self:
        """Build the index, of this layout or an earlier one, anew while it serves (see
        `reindex.rebuild`), and open it.

        Unused space goes back to the disk.
        """
        folder = Path(path)
        layout, made = cls.stored(folder)
        if layout > LAYOUT:
            raise _other_layout(folder, layout)
        with closing(RecordStore(folder, made)) as store:
            rebuild(store, made, signatures or made, transform, progress)
        index = cls.open(path)
        with index._store.connection() as connection:
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return index

    def destroy(self) -> None:
        """Remove the index, and its folder where nothing else lies in it."""
        self.close()
        folder = self._store.folder
        with translated(folder):
            for path in self._store.files():
                path.unlink(missing_ok=True)
            with suppress(OSError):  # not empty
                folder.rmdir()

    def refresh(self) -> None:
        """Nothing to do: each question sees all that was committed before it."""

    def optimize(self, progress: Progress | None = None) -> tuple[int, int]:
        """One file has no segments; what its log of writes holds is moved into it."""
        with self._store.connection() as connection:
            connection.execute("PRAGMA optimize")
            connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
        return 1, 1

    def info(self) -> IndexInfo:
        counts = self.collections()
        return IndexInfo(
            location=self.location,
            kind="embedded",
            physical=str(self._store.folder.absolute()),
            layout=LAYOUT,
            signatures=self.signatures,
            count=sum(counts.values()),
            bytes=self._store.size(),
            collections=counts,
            healthy=True,
        )

    def close(self) -> None:
        self._store.close()
        self.state.close()

    # -- writing -------------------------------------------------------------------------------------------

    def known(self, keys: Iterable[Key]) -> dict[Key, Known]:
        sql = f"SELECT sha256, sources, gone, title, tags, metadata, pages, added_at, number {_BY_KEY}"
        found: dict[Key, Known] = {}
        with self._store.reading() as connection:
            for key in keys:
                for (
                    sha256,
                    sources,
                    gone,
                    title,
                    tags,
                    metadata,
                    pages,
                    added_at,
                    number,
                ) in connection.execute(sql, key):
                    found[key] = Known(
                        sha256=sha256,
                        sources=tuple(orjson.loads(sources)),
                        gone=tuple(orjson.loads(gone)),
                        title=title,
                        tags=tuple(orjson.loads(tags)),
                        metadata=orjson.loads(metadata),
                        pages=pages_of(pages),
                        added_at=datetime.fromisoformat(added_at),
                        version=number,
                    )
        return found

    def _write(self, writes: Sequence[tuple[ImageRecord, Known | None]]) -> list[Written | None]:
        with self._store.writing() as connection:
            outcomes = [_outcome(connection, record, before) for record, before in writes]
            kept = [record for (record, _), outcome in zip(writes, outcomes, strict=True) if outcome]
            self._store.replace(connection, kept)
        return outcomes

    def delete(self, keys: Iterable[Key]) -> int:
        with self._store.writing() as connection:
            return self._store.remove(connection, list(keys))

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, keys: Iterable[Key], *, full: bool = True) -> dict[Key, ImageRecord]:
        sql = f"SELECT number, {COLUMNS} {_BY_KEY}"
        with self._store.reading() as connection:
            rows = [row for key in dict.fromkeys(keys) for row in connection.execute(sql, key)]
            return {record.key: record for record in records_of(connection, rows, full=full)}

    def keys_of(self, id: str, collections: Sequence[str] = ()) -> list[Key]:
        check_texts([id])
        with self._store.reading() as connection:
            names = collections or [name for (name,) in connection.execute("SELECT name FROM collections")]
            keys = [Key(name, id) for name in dict.fromkeys(names)]
            return sorted(key for key in keys if connection.execute(f"SELECT 1 {_BY_KEY}", key).fetchone())

    def count(self, filter: Filter | None = None) -> int:
        if filter is None or filter.is_empty:
            return sum(self.collections().values())
        condition = condition_of(filter)
        with self._store.reading() as connection:
            sql = f"SELECT count(*) FROM records WHERE {condition.sql}"
            return int(connection.execute(sql, condition.values).fetchone()[0])

    def collections(self) -> dict[str, int]:
        with self._store.reading() as connection:
            return dict(connection.execute("SELECT name, records FROM collections ORDER BY name"))

    def ask(self, questions: Sequence[IndexQuery]) -> list[list[ImageRecord]]:
        dims = self.signatures.dims
        for question in questions:
            if question.vector is not None and question.vector.shape != (dims,):
                raise InvalidRequest(
                    f"the vector has {question.vector.size} dimensions, this index keeps {dims}"
                )
        try:
            with self._store.viewing() as (connection, view):
                return candidates(connection, view, questions)
        except ArraysDamaged:  # after they were compared
            self._store.mend()
        with self._store.viewing() as (connection, view):
            return candidates(connection, view, questions)

    def ask_words(self, words: str, limit: int, filter: Filter) -> list[ImageRecord]:
        check_texts([words])
        expression = words_expression(words)
        if not expression:
            return []
        condition = condition_of(filter)
        with self._store.reading() as connection:
            rows = connection.execute(
                f"SELECT number, {COLUMNS} "
                "FROM (SELECT rowid AS found, rank AS place FROM words WHERE words MATCH ?) "
                f"CROSS JOIN records ON number = found WHERE {condition.sql} "
                "ORDER BY place, number LIMIT ?",
                (expression, *condition.values, limit),
            ).fetchall()
            return records_of(connection, rows, full=False)

    def ask_bytes(self, digests: Sequence[str], filter: Filter) -> dict[str, list[ImageRecord]]:
        condition = condition_of(filter)
        sql = f"SELECT number, {COLUMNS} FROM records WHERE (sha256 = ? OR pixels = ?) AND {condition.sql}"
        with self._store.reading() as connection:
            return {
                digest: records_of(
                    connection,
                    connection.execute(sql, (digest, digest, *condition.values)).fetchall(),
                    full=False,
                )
                for digest in digests
            }

    def page(self, filter: Filter, *, cursor: str | None, limit: int, full: bool = False) -> ListingPage:
        condition = condition_of(filter)
        after = Key("", "") if cursor is None else key_of(cursor)
        with self._store.reading() as connection:
            rows = connection.execute(
                f"SELECT number, {COLUMNS} FROM records WHERE (collection, id) > (?, ?) AND {condition.sql} "
                "ORDER BY collection, id LIMIT ?",
                (*after, *condition.values, limit + 1),
            ).fetchall()
            records = records_of(connection, rows[:limit], full=full)
        return ListingPage(records, cursor_of(records[-1].key) if len(rows) > limit else None)


def _other_layout(folder: Path, layout: int) -> IndexMismatch:
    way = (
        "`facsimile index reindex` builds it anew for this version"
        if layout < LAYOUT
        else "export its records with the version that made it, and import them here"
    )
    return IndexMismatch(f"the index in {folder} has layout {layout}, this version reads {LAYOUT}; {way}")


def _outcome(connection: sqlite3.Connection, record: ImageRecord, before: Known | None) -> Written | None:
    """What writing the record comes to; None where what is stored is no longer what is known."""
    stored = connection.execute(f"SELECT number {_BY_KEY}", record.key).fetchone()
    if (stored[0] if stored else None) != (before.version if before else None):
        return None
    return Written(Status.UPDATED if before else Status.ADDED)
