"""Which pages show an image, over all pages of a crawl: on disk, since a crawl has more links than memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Self

from facsimile.imaging.record import MOST_PAGES, WebPage
from facsimile.ingest.html_images import ShownImage

_TABLES = """
PRAGMA journal_mode = OFF;
PRAGMA synchronous = OFF;
CREATE TABLE pages (number INTEGER PRIMARY KEY, url TEXT, title TEXT, seen_at TEXT);
CREATE TABLE links (image TEXT, page INTEGER, text TEXT, PRIMARY KEY (image, page)) WITHOUT ROWID;
"""


class PageLinks:
    """A temporary table of links, which ends with the object. One thread uses it."""

    def __init__(self) -> None:
        self._connection = sqlite3.connect("", isolation_level=None)  # a temporary file of its own
        self._connection.executescript(_TABLES)
        self._pages = 0

    def add(self, url: str, title: str, seen_at: datetime | None, images: Iterable[ShownImage]) -> None:
        """Note that a page shows these images."""
        rows = [(_key(image.url), self._pages, image.text) for image in images]
        if not rows:
            return
        seen = seen_at.isoformat() if seen_at else None
        self._connection.execute("INSERT INTO pages VALUES (?, ?, ?, ?)", (self._pages, url, title, seen))
        self._connection.executemany("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", rows)
        self._pages += 1

    def pages_of(self, image: str) -> tuple[WebPage, ...]:
        """The first pages that show the image at this address, in the order in which they were added."""
        rows = self._connection.execute(
            "SELECT url, title, seen_at, text FROM links JOIN pages ON number = page "
            "WHERE image = ? ORDER BY page LIMIT ?",
            (_key(image), MOST_PAGES),
        )
        return tuple(
            WebPage(url=url, title=title, text=text, seen_at=datetime.fromisoformat(seen) if seen else None)
            for url, title, seen, text in rows
        )

    def close(self) -> None:
        """Forget all links."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _key(url: str) -> str:
    """An address as links compare it: pages name images by http that are served by https."""
    return url.partition("#")[0].partition("://")[2]
