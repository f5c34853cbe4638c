"""Facsimile as an object: the same operations as the command line, over either index."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, get_args

from facsimile.imaging.describe import Probes, describe
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.orientation import ORIENTATIONS
from facsimile.imaging.record import DEFAULT_COLLECTION, Description, Key
from facsimile.search.errors import InvalidRequest, RecordNotFound
from facsimile.search.finder import MAX_LIMIT, Finder, Request
from facsimile.search.index.base import Index
from facsimile.search.index.opening import is_remote, model_of, open_index, signatures_of
from facsimile.search.match import Match
from facsimile.search.query import Filter
from facsimile.search.ranking import Mode
from facsimile.search.stored_queries import descriptions
from facsimile.settings import Settings, changed, settings

if TYPE_CHECKING:
    from facsimile.ingest.item import Outcome, Tally
    from facsimile.job_queue import Queue
    from facsimile.scans import Scanned, Scanning
    from facsimile.search.comparison import Comparison
    from facsimile.search.duplicates.cluster import Cluster
    from facsimile.search.errors import StoreError
    from facsimile.workers.ledger.jobs import Job

Image = bytes | str | Path


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
        self._finder = Finder(self.index, chosen.thresholds, chosen.verification)

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
        """Forget the records with these ids, or, without ids, a whole collection; how many there were."""
        if not ids:
            return self.index.delete_where(Filter(collections=(collection,) if collection else ()))
        within = (collection,) if collection else ()
        removed = self.index.delete([key for id in ids for key in self.index.keys_of(id, within)])
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
        image: Image,
        *,
        limit: int = 10,
        collections: Sequence[str] = (),
        filter: Mapping[str, str] | None = None,
        text: str = "",
        mode: Mode = "copies",
        orientations: Sequence[str] = ORIENTATIONS,
        probes: Probes = 2,
        verify: bool = True,
    ) -> list[Match]:
        """Where this picture occurs, best first; with the mode `similar`, what looks like it."""
        request = self.request(
            limit=limit,
            collections=collections,
            filter=filter,
            text=text,
            mode=mode,
            orientations=orientations,
            probes=probes,
            verify=verify,
        )
        return self.search_described([self.describe(image)], request)[0]

    def search_described(self, queries: Sequence[Query], request: Request) -> list[list[Match]]:
        """The matches of each query; a stored picture does not find itself."""
        wider = dataclasses.replace(request, limit=request.limit + 1)
        answers = self._finder.search_many([query.description for query in queries], wider)
        return [
            _located([match for match in matches if match.record.key != query.key][: request.limit])
            for query, matches in zip(queries, answers, strict=True)
        ]

    def search_words(self, request: Request) -> list[Match]:
        """The records whose title or tags hold the words of the request."""
        return _located(self._finder.search_words(request))

    def request(
        self,
        *,
        limit: int = 10,
        collections: Sequence[str] = (),
        filter: Mapping[str, str] | None = None,
        text: str = "",
        mode: Mode = "copies",
        orientations: Sequence[str] = ORIENTATIONS,
        probes: Probes = 2,
        verify: bool = True,
    ) -> Request:
        """The parts of a search, checked: raises InvalidRequest for one that makes no sense."""
        if not 1 <= limit <= MAX_LIMIT:
            raise InvalidRequest(f"a limit is 1 to {MAX_LIMIT}, not {limit}")
        if mode not in get_args(Mode):
            raise InvalidRequest(f"a mode is {' or '.join(get_args(Mode))}, not {mode!r}")
        if unknown := set(orientations) - set(ORIENTATIONS):
            raise InvalidRequest(f"no orientation {min(unknown)!r}: there are {', '.join(ORIENTATIONS)}")
        if probes not in (0, 1, 2, 3, "all"):
            raise InvalidRequest(f"probes are 0 to 3 or 'all', not {probes!r}")
        terms = {key: (value,) for key, value in (filter or {}).items()}
        return Request(
            limit=limit,
            mode=mode,
            filter=Filter(tuple(collections), terms),
            orientations=tuple(orientations),
            probes=probes,
            words=text,
            verify=verify,
        )

    def compare(self, first: Image, second: Image, *, verify: bool = True) -> Comparison:
        """Every distance of two pictures, and the verdict that a search would give."""
        from facsimile.search.comparison import compare

        return compare(
            self.describe(first).description,
            self.describe(second).description,
            self.settings.thresholds,
            self.settings.verification,
            verify=verify,
        )

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
        from facsimile.ingest.presence import located, modified
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

    def describe(self, image: Image) -> Query:
        """The signatures of an image that is asked about. Raises SourceError, ImageError, RecordNotFound."""
        if isinstance(image, str) and image.startswith("id:"):
            return self._stored(image.removeprefix("id:"))
        return described(image, self.settings, self._model)

    def _stored(self, id: str) -> Query:
        keys = self.index.keys_of(id)
        records = self.index.get(keys)
        if not records:
            raise RecordNotFound(f"no record has the id {id}")
        key, record = next(iter(records.items()))
        (told,) = descriptions([record], limits=self.settings.limits)
        if isinstance(told, FacsimileError):
            raise told
        return Query(told, key)

    # -- life ----------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Let go of files and connections."""
        if "queue" in self.__dict__:
            self.queue.close()
        self.index.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Query:
    """A described picture to ask about; `key` names its record where it is a stored one."""

    description: Description
    key: Key | None = None


def _located(matches: Sequence[Match]) -> list[Match]:
    """The matches with those of their places marked as gone whose file is not on this machine."""
    from facsimile.ingest.presence import located

    return [dataclasses.replace(match, record=located(match.record)) for match in matches]


def described(image: Image, chosen: Settings, model: Model | None) -> Query:
    """The signatures of an image that is in no index. Raises SourceError, ImageError, ModelError."""
    from facsimile.ingest.item import Item
    from facsimile.ingest.loader import Loader

    item = Item("", data=image) if isinstance(image, bytes) else Item(str(image))
    with Loader(chosen.fetching) as loader:
        answer = loader.load([item])[0]
    if isinstance(answer, FacsimileError):
        raise answer
    return Query(describe(answer, limits=chosen.limits, model=model))
