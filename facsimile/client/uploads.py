"""Storing many images on a server, some at a time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

from facsimile.client.errors import AuthError, ServerBusy, ServerUnreachable
from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.item import Item, Outcome, Tally
from facsimile.ingest.loader import Loader
from facsimile.search.errors import StoreError
from facsimile.search.index.base import Status

if TYPE_CHECKING:
    from facsimile.results import Stored

#: stores one item; its bytes are None where the server is to fetch them
Store = Callable[[Item, "bytes | None"], "Stored"]
AsyncStore = Callable[[Item, "bytes | None"], Awaitable["Stored"]]

#: errors that would end every further upload, too
_FATAL = (AuthError, ServerBusy, ServerUnreachable, StoreError)


def store_all(
    items: Iterator[Item | Outcome],
    store: Store,
    threads: int,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Tally:
    """The outcomes of the items, reported in their order; few are in memory at once.

    Raises the errors of sources, and those that would end every upload: an unreachable server, an invalid
    key.
    """
    tally = Tally()
    with Loader() as loader, ThreadPoolExecutor(threads, thread_name_prefix="upload") as pool:
        pending: deque[Future[Outcome]] = deque()

        def store_one(item: Item | Outcome) -> Outcome:
            if isinstance(item, Outcome):
                return item
            try:
                return _stored(item, store(item, _data(item, loader)))
            except FacsimileError as error:
                return _failed(item, error)

        def finish_one() -> None:
            outcome = pending.popleft().result()
            tally.count(outcome)
            if on_outcome:
                on_outcome(outcome)

        try:
            for item in items:
                pending.append(pool.submit(store_one, item))
                if len(pending) >= 2 * threads:
                    finish_one()
            while pending:
                finish_one()
        finally:
            for each in pending:
                each.cancel()
    return tally


async def store_all_async(
    items: Iterator[Item | Outcome],
    store: AsyncStore,
    uploads: int,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Tally:
    """The same for asyncio; sources are read in threads."""
    tally = Tally()
    pending: deque[asyncio.Task[Outcome]] = deque()
    with Loader() as loader:

        async def store_one(item: Item | Outcome) -> Outcome:
            if isinstance(item, Outcome):
                return item
            try:
                return _stored(item, await store(item, await asyncio.to_thread(_data, item, loader)))
            except FacsimileError as error:
                return _failed(item, error)

        async def finish_one() -> None:
            outcome = await pending.popleft()
            tally.count(outcome)
            if on_outcome:
                on_outcome(outcome)

        try:
            while (item := await asyncio.to_thread(next, items, None)) is not None:
                pending.append(asyncio.create_task(store_one(item)))
                if len(pending) >= uploads:
                    await finish_one()
            while pending:
                await finish_one()
        finally:
            for each in pending:
                each.cancel()
            await asyncio.gather(*pending, return_exceptions=True)  # they use the loader
    return tally


def _data(item: Item, loader: Loader) -> bytes | None:
    """The bytes to upload; None for a URL that the server fetches. Raises SourceError."""
    if item.data is None and item.source.startswith(("http://", "https://")):
        return None
    (loaded,) = loader.load([item])
    if isinstance(loaded, FacsimileError):
        raise loaded
    return loaded


def _stored(item: Item, stored: Stored) -> Outcome:
    return Outcome(item.without_data(), Status(stored.status))


def _failed(item: Item, error: FacsimileError) -> Outcome:
    """The outcome of an item that failed. Raises an error that would end every upload."""
    if isinstance(error, _FATAL):
        raise error
    return Outcome.failed(item, error)
