"""Facsimile as a library: the operations of `facsimile.protocol.Library` on an index of either kind."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from facsimile.images import ImageInput, SourceInput, places, several
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import DEFAULT_COLLECTION, ImageRecord
from facsimile.ingest.presence import located, modified
from facsimile.matches import Matches
from facsimile.protocol import Mode, Probes
from facsimile.query_reader import QueryReader
from facsimile.results import Comparison, Stored
from facsimile.scans_and_jobs import ScansAndJobs
from facsimile.search.errors import InvalidRequest, RecordNotFound
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.opening import model_of, open_index, signatures_of
from facsimile.search.match import Match
from facsimile.search.names import key_named
from facsimile.search.params import SearchParams
from facsimile.search.query import Filter, QueryImage
from facsimile.search.sequences import listed
from facsimile.settings import Settings

if TYPE_CHECKING:
    from threading import Event

    from facsimile.ingest.item import Outcome, Tally
    from facsimile.ingestion import Ingestion
    from facsimile.job_queue import JobQueue
    from facsimile.scans import Scanning
    from facsimile.search.duplicates.cluster import Cluster
    from facsimile.search.errors import StoreError


class Facsimile(ScansAndJobs):
    """An open index. Use it in a `with` statement, or close it.

    An image is bytes, a path, an http(s) or fsspec URL, or `id:ID` for a stored one. Errors are those of
    `facsimile.errors`. The parts below, which the command line and the API use, are `settings`, `index`,
    `model`, `finder`, `queries`, `scanning` and `queue`.
    """

    def __init__(self, location: str, settings: Settings, *, create: bool = False) -> None:
        self.settings = settings
        self._open_index = partial(open_index, location, settings.elastic)
        new = signatures_of(settings.new_model()) if create else None
        self.index: Index = open_index(location, settings.elastic, create=new)
        self.model = model_of(self.index, requested=settings.model, options=settings.running)
        self.finder = Finder(
            self.index,
            settings.thresholds,
            settings.verification,
            model=self.model,
            limits=settings.limits,
            locate=located,
        )
        self.queries = QueryReader(settings, self.model, self._stored_query)

    @cached_property
    def scanning(self) -> Scanning:
        """The scans of this index, and their findings."""
        from facsimile.scans import Scanning

        return Scanning(
            self.index,
            self.settings,
            open_index=self._open_index,
            ingest=self.ingest,
            queue=lambda: self.queue,
        )

    @cached_property
    def queue(self) -> JobQueue:
        """The queue of this index: submitting work to its workers, and the progress of jobs."""
        from facsimile.job_queue import JobQueue

        return JobQueue(self.index, self.settings)

    @cached_property
    def _ingestion(self) -> Ingestion:
        from facsimile.ingestion import Ingestion

        return Ingestion(self.index, self.settings, self.model, self._open_index)

    def _stored_query(self, name: str) -> QueryImage:
        try:
            key = key_named(self.finder, self.index, name)
        except RecordNotFound:
            raise RecordNotFound(f"there is no record with the id {name}") from None
        return self.finder.stored_query(key.id, (key.collection,))

    # -- writing -------------------------------------------------------------------------------------------

    def ingest(
        self,
        *sources: SourceInput,
        collection: str | None = None,
        processes: int = 0,
        recheck: bool = False,
        prune: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_wait: Callable[[StoreError], None] | None = None,
        on_skipped: Callable[[str], None] = lambda name: None,
    ) -> Tally:
        """Store images: files, folders, globs, archives, URLs, manifests (see `docs/ingest.md`).

        One bad image never ends the run: it counts as failed, and `on_outcome` receives the outcome of each
        image. While the index is unavailable the run waits, and `on_wait` receives the error each time.
        `recheck` fetches URLs again that are stored already. Where files of a folder were changed, moved or
        removed since, their records lose these places; `prune` deletes records that have no place left.
        `on_skipped` receives the names of files without an image extension. `processes` 0 is the setting.
        """
        return self._ingestion.run(
            list(places(sources)),
            collection=collection or DEFAULT_COLLECTION,
            processes=processes,
            recheck=recheck,
            prune=prune,
            on_outcome=on_outcome,
            on_wait=on_wait,
            on_skipped=on_skipped,
        )

    def watch(
        self,
        *folders: SourceInput,
        collection: str | None = None,
        processes: int = 0,
        prune: bool = False,
        stop: Event | None = None,
        on_tally: Callable[[Tally], None] = lambda tally: None,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_wait: Callable[[StoreError], None] | None = None,
    ) -> None:
        """Store the images of folders, then what is added, changed, moved and removed there, until `stop` is
        set.

        `on_tally` receives what became of the first reading, and of each batch of changes. Other arguments
        are those of `ingest`. Raises SourceNotFound where a folder is not there, or not any more.
        """
        self._ingestion.follow(
            list(places(folders)),
            collection=collection or DEFAULT_COLLECTION,
            processes=processes,
            prune=prune,
            stop=stop,
            on_tally=on_tally,
            on_outcome=on_outcome,
            on_wait=on_wait,
        )

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

        `wait=False` submits it to the queue. Raises SourceError, ImageError, InvalidRequest, StoreError.
        """
        item = self._ingestion.item(
            image, id=id, collection=collection, title=title, tags=tags, metadata=metadata, source=source
        )
        if wait is False:
            job = self.queue.submit([item])
            return Stored(id=id or "", collection=item.collection, status="queued", job=job)
        return self._ingestion.store(item)

    def update(
        self,
        id: str,
        *,
        collection: str | None = None,
        title: str | None = None,
        tags: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ImageRecord:
        """Change what is said of a stored image, without its picture; what is None stays.

        Raises RecordNotFound, AmbiguousId and InvalidRequest.
        """
        said = {"title": title, "tags": None if tags is None else listed(tags), "metadata": metadata}
        changes = {name: value for name, value in said.items() if value is not None}
        key = self.finder.key_of(id, _within(collection))
        record = self.index.amend(key, lambda stored: stored.replaced(**changes))
        self.index.refresh()
        return located(record)

    def delete(self, id: str, *, collection: str | None = None) -> None:
        """Delete one record. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        self.index.delete([self.finder.key_of(id, _within(collection))])
        self.index.refresh()

    def remove(self, *ids: str, collection: str | None = None) -> int:
        """Delete the records with these ids or, without ids, a whole collection; returns how many there were.

        Ids of which there is no record are skipped. Raises AmbiguousId, before anything is deleted, where
        several collections have a record of an id and `collection` is not given.
        """
        if not ids:
            if not collection:
                raise InvalidRequest("give the ids to remove, or a collection")
            return self.index.delete_where(Filter(collections=(collection,)))
        keys = []
        for id in ids:
            with suppress(RecordNotFound):
                keys.append(self.finder.key_of(id, _within(collection)))
        removed = self.index.delete(keys)
        self.index.refresh()
        return removed

    # -- reading -------------------------------------------------------------------------------------------

    def get(self, id: str, *, collection: str | None = None) -> ImageRecord:
        """A stored image. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        key = self.finder.key_of(id, _within(collection))
        record = self.index.get([key]).get(key)
        if record is None:
            raise RecordNotFound(f"there is no record with the id {id}")
        return located(record)

    def thumbnail(self, id: str, *, collection: str | None = None) -> bytes:
        """A JPEG of a stored image, of at most 320 pixels a side. Raises as `get`."""
        thumbnail = self.get(id, collection=collection).thumbnail
        if thumbnail is None:
            raise RecordNotFound(f"the record {id} has no thumbnail")
        return thumbnail

    def images(
        self,
        *,
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Iterator[ImageRecord]:
        """All stored images, by collection and id, without thumbnails and vectors."""
        return self.index.scan(SearchParams(collections=collections, filter=filter or {}).records)

    def collections(self) -> dict[str, int]:
        """The collections, with the number of images of each."""
        return self.index.collections()

    def count(self, *, collection: str | None = None) -> int:
        """The number of images."""
        return self.index.count(Filter(_within(collection)))

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
    ) -> Matches:
        """The stored images that are copies of this one, best first; with the mode `similar`, that resemble
        it.

        Without an image, the records whose title or tags hold the words of the text. `SearchParams` describes
        the options. Raises SourceError, ImageError, RecordNotFound, AmbiguousId, InvalidRequest, StoreError.
        """
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
        if image is None:
            if not text:
                raise InvalidRequest("give an image or a text to search for")
            return self._shown(self.finder.search_text(params))
        return self._shown(self.finder.search(self.queries.read(image), params))

    def _shown(self, matches: Iterable[Match]) -> Matches:
        return Matches(matches, lambda record: self.thumbnail(record.id, collection=record.collection))

    def search_many(
        self, images: ImageInput | Sequence[ImageInput], params: SearchParams | None = None
    ) -> list[Matches | FacsimileError]:
        """The matches of several images, by one request; the error of one that cannot be read."""
        queries = self.queries.read_many(several(images))
        given = [query for query in queries if isinstance(query, QueryImage)]
        found = iter(self.finder.search_many(given, params) if given else [])
        return [self._shown(next(found)) if isinstance(query, QueryImage) else query for query in queries]

    def compare(self, first: ImageInput, second: ImageInput, *, verify: bool = True) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""
        one, other = self.queries.read(first), self.queries.read(second)
        return Comparison.from_json(self.finder.compare(one, other, verify=verify).as_json())

    def duplicates(
        self,
        *,
        collection: str | None = None,
        radius: int | None = None,
        verify: bool = True,
        scenes: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Cluster]:
        """The images that are stored more than once, as clusters, each with a keeper; nothing is removed.

        `radius` is the Hamming distance of a copy without further proof (the setting `copy_distance`).
        `scenes` adds pairs of one scene, not merged; `progress` receives the number of records done.
        """
        from facsimile.search.duplicates.clustering import clusters
        from facsimile.search.duplicates.pairs import DuplicateRules
        from facsimile.search.proof_pool import proof_pool

        thresholds = self.settings.thresholds
        if radius is not None:
            thresholds = dataclasses.replace(thresholds, copy=radius)
        rules = DuplicateRules(
            thresholds=thresholds, policy=self.settings.verification, verify=verify, scenes=scenes
        )
        within = Filter(_within(collection))
        with proof_pool(self.settings.process_count, self.index.count(within)) as run:
            return clusters(
                self.index, within, rules, locate=located, modified=modified, progress=progress, run=run
            )

    # -- life ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close files and connections."""
        self.queries.close()
        if "queue" in self.__dict__:
            self.queue.close()
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _within(collection: str | None) -> tuple[str, ...]:
    return (collection,) if collection else ()
