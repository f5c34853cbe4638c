"""Facsimile as an object: the same operations as the command line, over either index."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from facsimile.imaging.describe import Probes
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.presence import located, modified
from facsimile.query_reader import ImageInput, QueryReader
from facsimile.search.errors import InvalidRequest, RecordNotFound
from facsimile.search.finder import Finder
from facsimile.search.index.base import Index
from facsimile.search.index.opening import is_remote, model_of, open_index, signatures_of
from facsimile.search.match import Match
from facsimile.search.params import SearchParams
from facsimile.search.query import Filter, QueryImage
from facsimile.search.ranking import Mode
from facsimile.settings import Settings, changed, settings

if TYPE_CHECKING:
    from facsimile.ingest.item import Outcome, Tally
    from facsimile.job_queue import Queue
    from facsimile.scans import Scanned, Scanning
    from facsimile.search.comparison import Comparison
    from facsimile.search.duplicates.cluster import Cluster
    from facsimile.search.errors import StoreError
    from facsimile.workers.ledger.jobs import Job


def open(location: str | Path | None = None, *, create: bool = True, **changes: object) -> Facsimile:
    """An index with everything that can be done to it.

    `location` is a folder or `http(s)://HOST/NAME`; without it the setting `FACSIMILE_INDEX` counts. Further
    keywords are settings (see `docs/settings.md`). Raises InvalidRequest, IndexUnavailable, IndexMismatch,
    and IndexNotFound where `create` is False.
    """
    chosen = changed(changes) if changes else settings()
    return Facsimile(str(location or chosen.index), chosen, create=create)


class Facsimile:
    """An open index. Use it in a `with` statement, or close it.

    An image is bytes, a path, an http(s) or fsspec URL, or `id:ID` for a stored one. Errors are subclasses
    of `facsimile.imaging.errors.FacsimileError`.
    """

    def __init__(self, location: str, chosen: Settings, *, create: bool = False) -> None:
        self.settings = chosen
        self._options = chosen.elastic if is_remote(location) else None
        new = signatures_of(chosen.new_model()) if create else None
        self.index: Index = open_index(location, self._options, create=new)
        self._open_model = partial(model_of, wanted=chosen.model, options=chosen.running)
        self._model = self._open_model(self.index)
        self._location = location
        self.finder = Finder(
            self.index,
            chosen.thresholds,
            chosen.verification,
            model=self._model,
            limits=chosen.limits,
            locate=located,
        )
        self.queries = QueryReader(chosen, self._model, self.finder.stored_query)

    @property
    def opener(self) -> Callable[[], Index]:
        """What opens this index in another process."""
        return partial(open_index, self._location, self._options)

    @cached_property
    def scanning(self) -> Scanning:
        """The scans of this index, and what they found."""
        from facsimile.scans import Scanning

        return Scanning(
            self.index, self.settings, open_index=self.opener, ingest=self.ingest, queue=lambda: self.queue
        )

    @cached_property
    def queue(self) -> Queue:
        """The workers of this index: what is handed to them, and what became of it."""
        from facsimile.job_queue import Queue

        return Queue(self.index, self.settings)

    # -- writing -------------------------------------------------------------------------------------------

    def ingest(
        self,
        *sources: str | Path,
        collection: str = DEFAULT_COLLECTION,
        jobs: int = 0,
        recheck: bool = False,
        prune: bool = False,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_wait: Callable[[StoreError], None] | None = None,
        passed_over: Callable[[str], None] = lambda name: None,
    ) -> Tally:
        """Bring images in: files, folders, globs, archives, URLs, lists (see `docs/ingest.md`).

        One bad image never ends the run: it counts as failed, and `on_outcome` is told of each image.
        An index that goes away meanwhile is waited for, and `on_wait` is told each time. `recheck` fetches
        remote images again that the index holds already. Where files of a folder were changed, moved or
        removed since, their records lose these places; `prune` removes records that have no place left.
        """
        from facsimile.ingest.bulk import Work, run
        from facsimile.ingest.loader import Loader
        from facsimile.ingest.presence import sweep
        from facsimile.ingest.sources import all_items

        named = [str(source) for source in sources]
        found = all_items(
            named,
            collection=collection,
            max_bytes=self.settings.max_bytes,
            archive_limits=self.settings.archive_limits,
            passed_over=passed_over,
        )
        work = Work(
            open_index=self.opener,
            open_loader=partial(Loader, self.settings.fetching),
            open_model=self._open_model,
            limits=self.settings.limits,
            recheck=recheck,
        )
        tally = run(
            found,
            work,
            jobs=jobs or self.settings.processes,
            on_outcome=on_outcome,
            on_wait=on_wait,
            item_seconds=self.settings.image_seconds,
        )
        self.index.refresh()
        if not tally.interrupted:  # a file that was moved may not have been met yet
            swept = sweep(self.index, named, collection, prune=prune)
            tally.missing, tally.removed = swept.missing, swept.removed
        return tally

    def remove(self, *ids: str, collection: str | None = None) -> int:
        """Delete the records with these ids or, without ids, a whole collection; returns how many there were.

        Ids of which there is no record are skipped. Raises AmbiguousId, before anything is deleted, where
        several collections have a record of an id and `collection` is not given.
        """
        within = (collection,) if collection else ()
        if not ids:
            return self.index.delete_where(Filter(collections=within))
        keys = []
        for id in ids:
            with suppress(RecordNotFound):
                keys.append(self.finder.key_of(id, within))
        removed = self.index.delete(keys)
        self.index.refresh()
        return removed

    def scan(
        self,
        *suspects: str | Path,
        catalogue: str,
        name: str = "",
        suspects_collection: str = "",
        include_similar: bool = False,
        recheck: bool = False,
        jobs: int = 0,
        on_outcome: Callable[[Outcome], None] | None = None,
        on_progress: Callable[[Job], None] = lambda job: None,
    ) -> Scanned:
        """Compare suspects (as `ingest` takes them, or a collection) with a collection of works.

        Suspects are read into `suspects_collection` (`suspects-NAME`); without any, it is compared as it is.
        A second call compares only what is new on either side. `scanning.findings` has what was found.
        """
        sources = [str(source) for source in suspects]
        scan = self.scanning.opened(
            name, catalogue, suspects_collection, sources, include_similar=include_similar, recheck=recheck
        )
        return self.scanning.carry_out(
            scan, sources, jobs=jobs, on_outcome=on_outcome, on_progress=on_progress
        )

    # -- asking --------------------------------------------------------------------------------------------

    def search(
        self,
        image: ImageInput | None = None,
        *,
        limit: int = 10,
        mode: Mode = "copies",
        collections: Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
        text: str = "",
        orientations: Sequence[str] = ORIENTATIONS,
        probes: Probes = 2,
        verify: bool = True,
        min_score: float = 0.0,
    ) -> list[Match]:
        """The stored images that are copies of this one, best first; with the mode `similar`, that resemble
        it.

        Without an image, the records whose title or tags hold the words of the text. `SearchParams` describes
        the options. Raises SourceError, ImageError, RecordNotFound, AmbiguousId, InvalidRequest, StoreError.
        """
        params = SearchParams(
            limit=limit,
            mode=mode,
            collections=collections,
            filter=filter or {},
            text=text,
            orientations=orientations,
            probes=probes,
            verify=verify,
            min_score=min_score,
        )
        if image is None:
            if not text:
                raise InvalidRequest("give an image or a text to search for")
            return self.finder.search_text(params)
        return self.finder.search(self.queries.read(image), params)

    def search_many(
        self, images: Sequence[ImageInput], params: SearchParams | None = None
    ) -> list[list[Match] | FacsimileError]:
        """The matches of several images, by one request to the index; the error of one that cannot be
        read."""
        queries = self.queries.read_many(images)
        readable = [query for query in queries if isinstance(query, QueryImage)]
        found = iter(self.finder.search_many(readable, params) if readable else [])
        return [next(found) if isinstance(query, QueryImage) else query for query in queries]

    def compare(self, first: ImageInput, second: ImageInput, *, verify: bool = True) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""
        return self.finder.compare(self.queries.read(first), self.queries.read(second), verify=verify)

    def duplicates(
        self,
        *,
        collection: str | None = None,
        radius: int | None = None,
        verify: bool = True,
        scenes: bool = False,
        progress: Callable[[int], None] = lambda done: None,
    ) -> list[Cluster]:
        """The pictures that occur more than once, as clusters, each with a keeper; nothing is removed.

        `radius` is the Hamming distance that is a copy without further proof (the threshold `copy`).
        `scenes` adds the pairs of the same scene, which are not merged.
        """
        from facsimile.search.duplicates.clustering import clusters
        from facsimile.search.duplicates.pairs import Rules

        within = Filter(collections=(collection,) if collection else ())
        limits = self.settings.thresholds
        copy = limits.copy if radius is None else radius
        rules = Rules(
            thresholds=dataclasses.replace(limits, copy=copy),
            policy=self.settings.verification,
            verify=verify,
            scenes=scenes,
        )
        return clusters(self.index, within, rules, locate=located, modified=modified, progress=progress)

    def count(self, *, collection: str | None = None) -> int:
        """How many records there are."""
        return self.index.count(Filter(collections=(collection,) if collection else ()))

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
