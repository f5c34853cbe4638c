"""Many images on their way to a server."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from facsimile.client.errors import AuthError, ServerBusy, ServerUnreachable
from facsimile.client.models import Stored
from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.item import Item, Outcome, Tally
from facsimile.ingest.loader import Loader
from facsimile.search.errors import StoreError
from facsimile.search.index.base import Status

#: stores one item; its bytes are None where the server is to fetch them
Store = Callable[[Item, "bytes | None"], Stored]


def stored_all(
    items: Iterator[Item | Outcome],
    store: Store,
    threads: int,
    on_outcome: Callable[[Outcome], None] | None = None,
) -> Tally:
    """What became of the items, some at a time, told in their order; few are in memory at once.

    Raises the errors of sources, and what ends every upload: a server that is away, a key that is refused.
    """
    tally = Tally()
    with Loader() as loader, ThreadPoolExecutor(threads, thread_name_prefix="upload") as pool:
        waiting: deque[Future[Outcome]] = deque()

        def finish_one() -> None:
            outcome = waiting.popleft().result()
            tally.count(outcome)
            if on_outcome:
                on_outcome(outcome)

        try:
            for item in items:
                waiting.append(pool.submit(_stored, item, store, loader))
                if len(waiting) >= 2 * threads:
                    finish_one()
            while waiting:
                finish_one()
        finally:
            for each in waiting:
                each.cancel()
    return tally


#: what no further image would fare better with
_ENDS = (AuthError, ServerBusy, ServerUnreachable, StoreError)


def _stored(item: Item | Outcome, store: Store, loader: Loader) -> Outcome:
    if isinstance(item, Outcome):
        return item
    try:
        data = None
        if item.data is not None or not item.source.startswith(("http://", "https://")):
            loaded = loader.load([item])[0]
            if isinstance(loaded, FacsimileError):
                raise loaded
            data = loaded
        return Outcome(item.without_data(), Status(store(item, data).status))
    except _ENDS:
        raise
    except FacsimileError as error:
        return Outcome.failed(item, error)
