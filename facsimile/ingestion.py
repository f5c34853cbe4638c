"""Ingest as the settings wire it: many images in processes of this machine, or one image at once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from facsimile.images import ImageInput, bytes_or_place
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models.base import Model
from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest.bulk import IngestSetup, run
from facsimile.ingest.item import Item, Outcome, Tally, shown
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.ingest.presence import sweep, sweep_places
from facsimile.ingest.sources import all_items, present_items
from facsimile.results import Stored
from facsimile.search.errors import InvalidRequest, StoreError
from facsimile.search.index.base import Index, Status
from facsimile.search.index.opening import model_of
from facsimile.search.index.validation import check_collection
from facsimile.search.sequences import listed
from facsimile.settings import Settings

#: changed places that are looked for one by one; of more the whole folders are looked through
_MOST_PLACES = 500


class Ingestion:
    """Stores images in an index; `open_index` opens it in another process."""

    def __init__(
        self, index: Index, settings: Settings, model: Model | None, open_index: Callable[[], Index]
    ) -> None:
        self._index = index
        self._settings = settings
        self._model = model
        self._open_index = open_index

    def run(
        self,
        sources: Sequence[str],
        *,
        collection: str,
        processes: int,
        recheck: bool,
        prune: bool,
        on_outcome: Callable[[Outcome], None] | None,
        on_wait: Callable[[StoreError], None] | None,
        on_skipped: Callable[[str], None],
    ) -> Tally:
        """Store all images of the sources, as `Facsimile.ingest` describes."""
        items = all_items(
            sources,
            collection=collection,
            max_bytes=self._settings.max_bytes,
            archive_limits=self._settings.archive_limits,
            passed_over=on_skipped,
        )
        tally = self._store_all(
            items, processes=processes, recheck=recheck, on_outcome=on_outcome, on_wait=on_wait
        )
        if not tally.interrupted:  # a file that was moved may not have been seen yet
            swept = sweep(self._index, sources, collection, prune=prune)
            tally.missing, tally.removed = swept.missing, swept.removed
        return tally

    def follow(
        self,
        folders: Sequence[str],
        *,
        collection: str,
        processes: int,
        prune: bool,
        stop: Event | None,
        on_tally: Callable[[Tally], None],
        on_outcome: Callable[[Outcome], None] | None,
        on_wait: Callable[[StoreError], None] | None,
    ) -> None:
        """Store the images of folders, and what changes there, as `Facsimile.watch` describes."""
        from facsimile.ingest.watch import changes

        check_collection(collection)
        for changed in changes(folders, stop):
            tally = self._store_all(
                present_items(changed.present, collection=collection),
                processes=processes,
                recheck=False,
                on_outcome=on_outcome,
                on_wait=on_wait,
            )
            if not tally.interrupted:
                places = changed.paths if len(changed.paths) <= _MOST_PLACES else folders
                swept = sweep_places(self._index, map(shown, places), collection, prune=prune)
                tally.missing, tally.removed = swept.missing, swept.removed
            on_tally(tally)
            if tally.interrupted:
                return

    def _store_all(
        self,
        items: Iterable[Item | Outcome],
        *,
        processes: int,
        recheck: bool,
        on_outcome: Callable[[Outcome], None] | None,
        on_wait: Callable[[StoreError], None] | None,
    ) -> Tally:
        settings = self._settings
        work = IngestSetup(
            open_index=self._open_index,
            open_loader=partial(Loader, settings.fetching),
            open_model=partial(model_of, requested=settings.model, options=settings.running),
            limits=settings.limits,
            recheck=recheck,
        )
        tally = run(
            items,
            work,
            jobs=processes or settings.process_count,
            on_outcome=on_outcome,
            on_wait=on_wait,
            item_seconds=settings.image_timeout,
        )
        self._index.refresh()
        return tally

    def item(
        self,
        image: ImageInput,
        *,
        id: str | None,
        collection: str | None,
        title: str,
        tags: str | Sequence[str],
        metadata: Mapping[str, Any] | None,
        source: str,
    ) -> Item:
        """One image with its bytes. Raises SourceError, NotAnImage, and InvalidRequest for a stored one."""
        given = bytes_or_place(image)
        place = given if isinstance(given, str) else ""
        if place.startswith("id:"):
            raise InvalidRequest(f"{place} is stored already")
        if place and "://" not in place:
            place = str(Path(place).absolute())
        if isinstance(given, bytes):
            data: bytes | FacsimileError = given
        else:
            with Loader(self._settings.fetching) as loader:
                (data,) = loader.load([Item(place)])
        if isinstance(data, FacsimileError):
            raise data
        return Item(
            source or place,
            id=id,
            collection=collection or DEFAULT_COLLECTION,
            title=title,
            tags=listed(tags),
            metadata=metadata or {},
            data=data,
        )

    def store(self, item: Item) -> Stored:
        """Store an item that carries its bytes. Raises the error that ends it."""
        with Loader(self._settings.fetching) as loader:
            (outcome,) = process(
                [item], index=self._index, loader=loader, limits=self._settings.limits, model=self._model
            )
        if outcome.status is Status.FAILED:
            raise (outcome.error_type or FacsimileError)(outcome.reason)
        self._index.refresh()
        id = item.id or hashlib.sha256(item.data or b"").hexdigest()
        return Stored(id=id, collection=item.collection, status=outcome.status.value)
