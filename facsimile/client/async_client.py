"""The client of a Facsimile server for asyncio: the methods of `Client`, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from facsimile.client import operations
from facsimile.client.client import POLL, UPLOADS
from facsimile.client.operations import JsonPage, Operation, readable, upload, upload_or_error
from facsimile.client.transport import AsyncConnection
from facsimile.images import ImageInput, SourceInput, places, several
from facsimile.imaging.errors import FacsimileError
from facsimile.protocol import Mode, Probes
from facsimile.search.errors import InvalidRequest, RecordNotFound

if TYPE_CHECKING:
    from facsimile.imaging.record import Record
    from facsimile.ingest.item import Item, Outcome, Tally
    from facsimile.results import Comparison, Finding, Job, Scan, Stored
    from facsimile.search.duplicates.cluster import Cluster
    from facsimile.search.match import Match
    from facsimile.search.params import SearchParams

T = TypeVar("T")


class AsyncClient:
    """A client of a server for asyncio. Use it in an `async with` statement, or close it; tasks may share it.

    Arguments, images and errors are those of `Client`; `images`, `findings` and `jobs` are asynchronous
    iterators. Files are read in threads.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retry_timeout: float = 30.0,
    ) -> None:
        self._server = AsyncConnection(base_url, api_key, timeout, retry_timeout)

    # -- writing -------------------------------------------------------------------------------------------

    async def ingest(
        self,
        *sources: SourceInput,
        collection: str | None = None,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_skipped: Callable[[str], None] = lambda name: None,
    ) -> Tally:
        """Store images: files, folders, globs, archives, URLs, manifests (see `docs/ingest.md`).

        Files are read here and uploaded, http(s) URLs are fetched by the server. One bad image never ends the
        run: it counts as failed, and `on_outcome` receives the outcome of each image. `on_skipped` receives
        the names of files without an image extension.
        """
        from facsimile.client.uploads import store_all_async
        from facsimile.imaging.record import DEFAULT_COLLECTION
        from facsimile.ingest.sources import all_items

        within = collection or DEFAULT_COLLECTION
        items = all_items(list(places(sources)), collection=within, passed_over=on_skipped)
        # the default is the server's to choose: the key may be for another collection
        return await store_all_async(items, partial(self._store, default=not collection), UPLOADS, on_outcome)

    async def _store(self, item: Item, data: bytes | None, *, default: bool) -> Stored:
        return await self._server.run(operations.add_item(item, data, default=default))

    async def add(
        self,
        image: ImageInput,
        *,
        id: str | None = None,
        collection: str | None = None,
        title: str = "",
        tags: str | Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        source: str = "",
        wait: bool | None = None,
    ) -> Stored:
        """Store one image; without an `id` it is named by the SHA-256 of its bytes.

        `wait=False` leaves it to the server's queue, which is also the default where there is one.
        """
        return await self._server.run(
            operations.add(
                await asyncio.to_thread(upload, image),
                id=id,
                collection=collection,
                title=title,
                tags=tags,
                metadata=metadata,
                source=source,
                wait=wait,
            )
        )

    async def update(
        self,
        id: str,
        *,
        collection: str | None = None,
        title: str | None = None,
        tags: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Record:
        """Change what is said of a stored image, without its picture; what is None stays.

        Raises RecordNotFound, AmbiguousId and InvalidRequest.
        """
        return await self._server.run(operations.update(id, collection, title, tags, metadata))

    async def delete(self, id: str, *, collection: str | None = None) -> None:
        """Delete one record. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        await self._server.run(operations.delete(id, collection))

    async def remove(self, *ids: str, collection: str | None = None) -> int:
        """Delete the records with these ids or, without ids, a whole collection; returns how many there were.

        Ids of which there is no record are skipped. Raises AmbiguousId, which deletes nothing of that id.
        """
        if not ids:
            return await self._remove_collection(collection)
        removed = 0
        for id in ids:
            with suppress(RecordNotFound):
                await self.delete(id, collection=collection)
                removed += 1
        return removed

    async def _remove_collection(self, name: str | None) -> int:
        if not name:
            raise InvalidRequest("give the ids to remove, or a collection")
        with suppress(RecordNotFound):
            return await self._server.run(operations.delete_collection(name))
        return 0

    # -- reading -------------------------------------------------------------------------------------------

    async def get(self, id: str, *, collection: str | None = None) -> Record:
        """A stored image. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        return await self._server.run(operations.get(id, collection))

    async def thumbnail(self, id: str, *, collection: str | None = None) -> bytes:
        """A JPEG of a stored image, of at most 320 pixels a side. Raises as `get`."""
        return await self._server.run(operations.thumbnail(id, collection))

    def images(
        self,
        *,
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
    ) -> AsyncIterator[Record]:
        """All stored images, by collection and id; they are requested page by page."""
        return self._listed(partial(operations.images, collections, filter))

    async def collections(self) -> dict[str, int]:
        """The collections that the key may see, with the number of images of each."""
        return await self._server.run(operations.collections())

    async def count(self, *, collection: str | None = None) -> int:
        """The number of images."""
        counts = await self.collections()
        return counts.get(collection, 0) if collection else sum(counts.values())

    # -- searching -----------------------------------------------------------------------------------------

    async def search(
        self,
        image: ImageInput | None = None,
        *,
        limit: int = 10,
        mode: Mode = "copies",
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
        text: str = "",
        orientations: str | Sequence[str] | None = None,
        probes: Probes = 2,
        verify: bool = True,
        min_score: float = 0.0,
    ) -> list[Match[Record]]:
        """The stored images that are copies of this one, best first; with the mode `similar`, that resemble
        it.

        Without an image, the records whose title or tags hold the words of the text. `SearchParams` describes
        the options.
        """
        from facsimile.search.params import SearchParams

        if image is None and not text:
            raise InvalidRequest("give an image or a text to search for")
        params = SearchParams.of(
            limit=limit,
            mode=mode,
            collections=collections,
            filter=filter,
            text=text,
            orientations=orientations,
            probes=probes,
            verify=verify,
            min_score=min_score,
        )
        return await self._server.run(
            operations.search({} if image is None else await asyncio.to_thread(upload, image), params)
        )

    async def search_many(
        self, images: ImageInput | Sequence[ImageInput], params: SearchParams | None = None
    ) -> list[list[Match[Record]] | FacsimileError]:
        """The matches of several images, by one request; in the place of one that cannot be read, its
        error."""
        from facsimile.search.params import SearchParams

        queries = await asyncio.gather(
            *(asyncio.to_thread(upload_or_error, each) for each in several(images))
        )
        sent = readable(queries)
        answered = (
            await self._server.run(operations.search_many(sent, params or SearchParams())) if sent else []
        )
        return operations.in_places(queries, answered)

    async def compare(self, first: ImageInput, second: ImageInput) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""
        return await self._server.run(
            operations.compare(
                await asyncio.to_thread(upload, first), await asyncio.to_thread(upload, second)
            )
        )

    async def duplicates(
        self,
        *,
        collection: str | None = None,
        radius: int | None = None,
        verify: bool = True,
        scenes: bool = False,
    ) -> list[Cluster]:
        """Not offered by a server: raises NotSupported."""
        raise operations.no_duplicates()

    # -- scans and jobs ------------------------------------------------------------------------------------

    async def scan(
        self,
        *suspects: SourceInput,
        catalogue: str,
        name: str = "",
        suspects_collection: str = "",
        include_similar: bool = False,
        wait: bool = True,
    ) -> Scan:
        """Have the workers of the server search suspects for the works of a catalogue.

        Suspects (as `ingest` takes them) are stored in `suspects_collection` (`suspects-NAME`); without any,
        it is compared as it is. With `wait`, returns when the scan has ended, else at once. Raises
        ScanNotFound.
        """
        within = suspects_collection or f"suspects-{name or catalogue}"
        sources = list(places(suspects))
        if sources:
            await self.ingest(*sources, collection=within)
        scan = await self._server.run(
            operations.start_scan(name, catalogue, within, include_similar=include_similar)
        )
        while wait and scan.phase != "idle":
            await asyncio.sleep(POLL)
            scan = await self._server.run(operations.scan(scan.name))
        return scan

    async def scans(self) -> list[Scan]:
        """The scans that the key may see, the oldest first."""
        return await self._server.run(operations.scans())

    async def findings(
        self, scan: str = "", *, states: str | Sequence[str] = (), work: str = "", site: str = ""
    ) -> AsyncIterator[Finding]:
        """What a scan, or every scan, has found, less what is on the allow-list.

        `work` is `COLLECTION/ID`, `site` a host, `states` are those of review. Raises ScanNotFound.
        """
        for name in [scan] if scan else [each.name for each in await self.scans()]:
            async for finding in self._listed(partial(operations.findings, name, states, work, site)):
                yield finding

    async def review(
        self, finding: str, *, state: str = "", comment: str = "", reviewer: str = ""
    ) -> Finding:
        """Set the state of a finding, or comment on it. Raises FindingNotFound, InvalidRequest."""
        return await self._server.run(
            operations.review(finding, state=state, comment=comment, reviewer=reviewer)
        )

    def jobs(self) -> AsyncIterator[Job]:
        """The jobs of the queue that the key may see, the latest first."""
        return self._listed(operations.jobs)

    async def job(self, id: str) -> Job:
        """The progress of one job. Raises JobNotFound."""
        return await self._server.run(operations.job(id))

    # -- life ----------------------------------------------------------------------------------------------

    async def _listed(self, operation: Callable[[str | None], Operation[JsonPage[T]]]) -> AsyncIterator[T]:
        cursor: str | None = None
        while True:
            page = await self._server.run(operation(cursor))
            for item in page.items:
                yield item
            if page.cursor is None:
                return
            cursor = page.cursor

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
