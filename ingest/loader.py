"""The bytes of items, from wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest import archives, storage, warc
from facsimile.ingest.errors import SourceError, SourceNotAllowed, SourceTooLarge, SourceUnreadable
from facsimile.ingest.fetch_limits import FetchLimits
from facsimile.ingest.item import Item, shown
from facsimile.ingest.open_source import is_remote, is_web, opened

if TYPE_CHECKING:
    from facsimile.ingest.fetch import Fetcher

#: images on their way from object stores at a time, in one process; `Fetcher` has threads of its own
THREADS = 8

_ONLY_WEB = "only http and https addresses are taken here"


class Loader:
    """Loads the bytes of items, remote ones several at a time.

    `files=False` refuses everything but http and https, for items that strangers sent.
    """

    def __init__(self, limits: FetchLimits | None = None, *, files: bool = True) -> None:
        self._limits = limits or FetchLimits()
        self._files = files
        self._fetcher: Fetcher | None = None
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="load")

    def load(self, items: Sequence[Item]) -> list[bytes | FacsimileError]:
        """For each item its bytes, or why there are none."""
        waiting = {
            position: self._begin(item.stored_at)
            for position, item in enumerate(items)
            if item.data is None and is_remote(item.stored_at)
        }
        return [self._one(item, waiting.get(position)) for position, item in enumerate(items)]

    def fetch(self, url: str, *, within: float) -> Future[bytes]:
        """The bytes behind an http or https address, to come within so many seconds, or a SourceError."""
        if is_web(url):
            return self._fetching().submit(url, within=within)
        refused: Future[bytes] = Future()
        refused.set_exception(SourceNotAllowed(_ONLY_WEB))
        return refused

    def _begin(self, source: str) -> Future[bytes]:
        if is_web(source):
            return self._fetching().submit(source)
        return self._threads.submit(self._bytes, source)

    def _one(self, item: Item, coming: Future[bytes] | None) -> bytes | FacsimileError:
        try:
            if coming is not None:
                data = coming.result()
            else:
                data = item.data if item.data is not None else self._bytes(item.stored_at)
        except SourceError as error:
            return error
        except Exception as error:  # one source never ends the others
            what = f"{type(error).__name__}: {error}"
            return SourceUnreadable(f"{shown(item.source)} cannot be read (unexpected error, {what})")
        if len(data) > self._limits.max_bytes:
            return SourceTooLarge(f"the image has more than {self._limits.max_bytes} bytes")
        return data

    def _bytes(self, source: str) -> bytes:
        if not self._files:
            raise SourceNotAllowed(_ONLY_WEB)
        archive, separator, member = source.partition(archives.SEPARATOR)
        if separator and warc.is_warc(archive):
            with opened(archive) as file:
                return warc.read_record(file, archive, member, max_bytes=self._limits.max_bytes)
        if separator and archives.is_archive(archive):
            with opened(archive) as file:
                return archives.read_member(file, archive, member, max_bytes=self._limits.max_bytes)
        if is_remote(source):
            return storage.read(source, self._limits.max_bytes + 1)
        with opened(source) as file:
            return file.read(self._limits.max_bytes + 1)

    def _fetching(self) -> Fetcher:
        """Made at the first URL: its TLS context takes longer than many an image, and so does its library."""
        from facsimile.ingest.fetch import Fetcher

        with self._lock:
            self._fetcher = self._fetcher or Fetcher(self._limits)
            return self._fetcher

    def close(self) -> None:
        """Close threads and connections."""
        self._threads.shutdown(cancel_futures=True)
        if self._fetcher is not None:
            self._fetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
