"""The bytes of items, from wherever they are."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Lock
from types import TracebackType
from typing import Self

from imaging.errors import FacsimileError
from ingest import archives, storage
from ingest.errors import SourceError, SourceRefused, SourceTooLarge
from ingest.fetch import Fetcher, FetchLimits
from ingest.item import Item
from ingest.places import is_remote, opened

#: images on their way from the network at a time, in one process
THREADS = 8


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
            position: self._threads.submit(self._one, item)
            for position, item in enumerate(items)
            if item.data is None and is_remote(item.source)
        }
        return [
            waiting[position].result() if position in waiting else self._one(item)
            for position, item in enumerate(items)
        ]

    def _one(self, item: Item) -> bytes | FacsimileError:
        try:
            data = item.data if item.data is not None else self._bytes(item.source)
        except SourceError as error:
            return error
        if len(data) > self._limits.max_bytes:
            return SourceTooLarge(f"the image has more than {self._limits.max_bytes} bytes")
        return data

    def _bytes(self, source: str) -> bytes:
        if source.startswith(("http://", "https://")):
            return self._fetching().fetch(source)
        if not self._files:
            raise SourceRefused("only http and https addresses are taken here")
        archive, separator, member = source.partition(archives.SEPARATOR)
        if separator and archives.is_archive(archive):
            with opened(archive) as file:
                return archives.read_member(file, archive, member, max_bytes=self._limits.max_bytes)
        if is_remote(source):
            return storage.read(source, self._limits.max_bytes + 1)
        with opened(source) as file:
            return file.read(self._limits.max_bytes + 1)

    def _fetching(self) -> Fetcher:
        """Made at the first URL: its TLS context takes longer than many an image."""
        with self._lock:
            self._fetcher = self._fetcher or Fetcher(self._limits)
            return self._fetcher

    def close(self) -> None:
        """Let go of threads and connections."""
        self._threads.shutdown(cancel_futures=True)
        if self._fetcher is not None:
            self._fetcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
