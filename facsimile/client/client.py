"""The client of a Facsimile server: the operations of `facsimile.protocol.Library` over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from facsimile.client import operations
from facsimile.client.operations import JsonPage, Operation, readable, upload, upload_or_error
from facsimile.client.transport import Connection
from facsimile.images import ImageInput, SourceInput, places, several
from facsimile.imaging.errors import FacsimileError
from facsimile.matches import Matches
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

#: uploads at a time
UPLOADS = 4

#: seconds between two requests for the progress of a scan
POLL = 1.0


class Client:
    """A client of a server. Use it in a `with` statement, or close it; threads may share it.

    `timeout` is in seconds for one request. A request that meets an overloaded or unreachable server is sent
    again for up to `retry_timeout` seconds; a write is done once all the same. An image is bytes, a path or
    fsspec URL that is read here, an http(s) URL that the server fetches, or `id:ID`. Errors are those of
    `facsimile.errors`.
    """

    def __init__(
        self,
        base_url: str,
        api_key: str | None = None,
        *,
        timeout: float = 60.0,
        retry_timeout: float = 30.0,
    ) -> None:
        self._server = Connection(base_url, api_key, timeout, retry_timeout)

    # -- writing -------------------------------------------------------------------------------------------

    def ingest(
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
        from facsimile.client.uploads import store_all
        from facsimile.imaging.record import DEFAULT_COLLECTION
        from facsimile.ingest.sources import all_items

        within = collection or DEFAULT_COLLECTION
        items = all_items(list(places(sources)), collection=within, passed_over=on_skipped)
        # the default is the server's to choose: the key may be for another collection
        return store_all(items, partial(self._store, default=not collection), UPLOADS, on_outcome)

    def _store(self, item: Item, data: bytes | None, *, default: bool) -> Stored:
        return self._server.run(operations.add_item(item, data, default=default))

    def add(
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
        return self._server.run(
            operations.add(
                upload(image),
                id=id,
                collection=collection,
                title=title,
                tags=tags,
                metadata=metadata,
                source=source,
                wait=wait,
            )
        )

    def update(
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
        return self._server.run(operations.update(id, collection, title, tags, metadata))

    def delete(self, id: str, *, collection: str | None = None) -> None:
        """Delete one record. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        self._server.run(operations.delete(id, collection))

    def remove(self, *ids: str, collection: str | None = None) -> int:
        """Delete the records with these ids or, without ids, a whole collection; returns how many there were.

        Ids of which there is no record are skipped. Raises AmbiguousId, which deletes nothing of that id.
        """
        if not ids:
            return self._remove_collection(collection)
        removed = 0
        for id in ids:
            with suppress(RecordNotFound):
                self.delete(id, collection=collection)
                removed += 1
        return removed

    def _remove_collection(self, name: str | None) -> int:
        if not name:
            raise InvalidRequest("give the ids to remove, or a collection")
        with suppress(RecordNotFound):
            return self._server.run(operations.delete_collection(name))
        return 0

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, id: str, *, collection: str | None = None) -> Record:
        """A stored image. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        return self._server.run(operations.get(id, collection))

    def thumbnail(self, id: str, *, collection: str | None = None) -> bytes:
        """A JPEG of a stored image, of at most 320 pixels a side. Raises as `get`."""
        return self._server.run(operations.thumbnail(id, collection))

    def images(
        self,
        *,
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Iterator[Record]:
        """All stored images, by collection and id; they are requested page by page."""
        return self._listed(partial(operations.images, collections, filter))

    def collections(self) -> dict[str, int]:
        """The collections that the key may see, with the number of images of each."""
        return self._server.run(operations.collections())

    def count(self, *, collection: str | None = None) -> int:
        """The number of images."""
        counts = self.collections()
        return counts.get(collection, 0) if collection else sum(counts.values())

    # -- searching -----------------------------------------------------------------------------------------

    def search(
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
    ) -> Matches[Record]:
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
        found = self._server.run(operations.search({} if image is None else upload(image), params))
        return self._shown(found)

    def _shown(self, matches: Iterable[Match[Record]]) -> Matches[Record]:
        return Matches(matches, lambda record: self.thumbnail(record.id, collection=record.collection))

    def search_many(
        self, images: ImageInput | Sequence[ImageInput], params: SearchParams | None = None
    ) -> list[Matches[Record] | FacsimileError]:
        """The matches of several images, by one request; in the place of one that cannot be read, its
        error."""
        from facsimile.search.params import SearchParams

        queries = [upload_or_error(image) for image in several(images)]
        sent = readable(queries)
        answered = self._server.run(operations.search_many(sent, params or SearchParams())) if sent else []
        answers = operations.in_places(queries, answered)
        return [each if isinstance(each, FacsimileError) else self._shown(each) for each in answers]

    def compare(self, first: ImageInput, second: ImageInput) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""
        return self._server.run(operations.compare(upload(first), upload(second)))

    def duplicates(
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

    def scan(
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
            self.ingest(*sources, collection=within)
        scan = self._server.run(
            operations.start_scan(name, catalogue, within, include_similar=include_similar)
        )
        while wait and scan.phase != "idle":
            time.sleep(POLL)
            scan = self._server.run(operations.scan(scan.name))
        return scan

    def scans(self) -> list[Scan]:
        """The scans that the key may see, the oldest first."""
        return self._server.run(operations.scans())

    def findings(
        self, scan: str = "", *, states: str | Sequence[str] = (), work: str = "", site: str = ""
    ) -> Iterator[Finding]:
        """What a scan, or every scan, has found, less what is on the allow-list.

        `work` is `COLLECTION/ID`, `site` a host, `states` are those of review. Raises ScanNotFound.
        """
        for name in [scan] if scan else [each.name for each in self.scans()]:
            yield from self._listed(partial(operations.findings, name, states, work, site))

    def review(self, finding: str, *, state: str = "", comment: str = "", reviewer: str = "") -> Finding:
        """Set the state of a finding, or comment on it. Raises FindingNotFound, InvalidRequest."""
        return self._server.run(operations.review(finding, state=state, comment=comment, reviewer=reviewer))

    def jobs(self) -> Iterator[Job]:
        """The jobs of the queue that the key may see, the latest first."""
        return self._listed(operations.jobs)

    def job(self, id: str) -> Job:
        """The progress of one job. Raises JobNotFound."""
        return self._server.run(operations.job(id))

    # -- life ----------------------------------------------------------------------------------------------

    def _listed(self, operation: Callable[[str | None], Operation[JsonPage[T]]]) -> Iterator[T]:
        cursor: str | None = None
        while True:
            page = self._server.run(operation(cursor))
            yield from page.items
            if page.cursor is None:
                return
            cursor = page.cursor

    def close(self) -> None:
        """Close the connections."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
