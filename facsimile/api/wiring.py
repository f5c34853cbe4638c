"""The API over an index of the settings: opens what the routes need and hands it to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facsimile.api import allowances, jobs, scans
from facsimile.api.app import create_app
from facsimile.api.auth import Policy
from facsimile.api.metrics import Metrics
from facsimile.api.problems import BUSY, Kind
from facsimile.api.service import Draft, Service
from facsimile.imaging.describe import describe_readings
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.models import model as make_model
from facsimile.imaging.record import Description
from facsimile.ingest.errors import (
    DecoderBusy,
    DecoderCrashed,
    DecoderTimeout,
    FetchUnavailable,
    SourceError,
    SourceNotAllowed,
    SourceTooLarge,
)
from facsimile.ingest.isolated import IsolatedReader, no_model
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.job_queue import Queue
from facsimile.search.finder import Finder
from facsimile.search.index.opening import is_remote, model_of, open_index, signatures_of, stored_signatures
from facsimile.settings import Settings
from facsimile.version import __version__
from facsimile.workers.errors import (
    AllowanceNotFound,
    BrokerUnavailable,
    FindingNotFound,
    JobClosed,
    JobNotFound,
    ScanNotFound,
)

if TYPE_CHECKING:
    from fastapi import FastAPI

#: what is wrong with an address that a request gave; failures of other servers are not ours, so no 5xx
KINDS: Mapping[type[FacsimileError], Kind] = {
    SourceError: Kind(424, "fetch-rejected", "The address gives no image"),
    SourceNotAllowed: Kind(422, "url-refused", "This address may not be fetched"),
    SourceTooLarge: Kind(413, "source-too-large", "There are more bytes behind the address than the limit"),
    DecoderBusy: BUSY,
    DecoderCrashed: Kind(422, "image-unreadable", "Reading the image ends its decoder"),
    DecoderTimeout: Kind(422, "image-too-slow", "Reading the image takes longer than the limit"),
    JobNotFound: Kind(404, "job-missing", "There is no such job"),
    ScanNotFound: Kind(404, "scan-missing", "There is no such scan"),
    FindingNotFound: Kind(404, "finding-missing", "There is no such finding"),
    AllowanceNotFound: Kind(404, "allowance-missing", "There is no such allowance"),
    JobClosed: Kind(409, "job-closed", "The job has come to its end"),
    BrokerUnavailable: Kind(503, "queue-unavailable", "The queue cannot be reached at present", 5),
    FetchUnavailable: Kind(424, "fetch-failed", "The address cannot be fetched at present", 10),
}

#: the names of this machine for itself
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def opened(location: str, chosen: Settings, *, create: bool = False) -> tuple[Service, Loader]:
    """The service over an index, and the loader that it fetches with; `create` makes a missing index.

    Raises the errors of `facsimile.search.errors` and of models.
    """
    elastic = chosen.elastic if is_remote(location) else None
    index = open_index(location, elastic, create=signatures_of(chosen.new_model()) if create else None)
    model = model_of(index, wanted=chosen.model, options=chosen.running)
    loader = Loader(chosen.fetching, files=False)

    reader = IsolatedReader(
        processes=chosen.api.threads,
        seconds=min(chosen.image_seconds, chosen.api_seconds / 2),
        batch_seconds=chosen.api_seconds,
        limits=chosen.limits,
        open_model=partial(make_model, model.name, **asdict(model.options)) if model else no_model,
    )

    def describe(datas: Sequence[bytes]) -> Sequence[Description | FacsimileError]:
        return describe_readings(reader.read(datas), model=model)

    def write(drafts: Sequence[Draft]) -> list[Outcome]:
        return process(
            [_item(draft) for draft in drafts],
            index=index,
            loader=loader,
            limits=chosen.limits,
            describe=describe,
        )

    queue = Queue(index, chosen) if chosen.api_queue else None
    service = Service(
        index=index,
        finder=Finder(index, chosen.thresholds, chosen.verification),
        describe=describe,
        fetch=partial(loader.fetch, within=chosen.api_seconds),
        write=write,
        stored=partial(stored_signatures, location, elastic),
        submit=None if queue is None else lambda drafts: queue.submit([_item(draft) for draft in drafts]),
        checks={} if queue is None else {"queue": queue.ping},
        close=reader.close,
    )
    return service, loader


def application(
    location: str,
    chosen: Settings,
    *,
    keys: Policy,
    local: bool,
    shared: Path | None = None,
    abandon: Callable[[], object] = lambda: None,
) -> FastAPI:
    """The application of one process of the server; `shared` is the folder of the figures of all of them.

    `keys` says whether callers need one; `local` keeps requests away that do not call this machine by a
    loopback name: they come from web pages that had their name point here.
    """
    service, _ = opened(location, chosen)
    options = chosen.api
    if local and not options.hosts:
        options = replace(options, hosts=LOOPBACK)
    return create_app(
        service,
        options,
        keys=keys,
        kinds=KINDS,
        routers=[jobs.router, scans.router, allowances.router],
        metrics=Metrics(shared),
        abandon=abandon,
        version=__version__,
    )


def _item(draft: Draft) -> Item:
    return Item(
        draft.source,
        id=draft.id,
        collection=draft.collection,
        title=draft.title,
        tags=draft.tags,
        metadata=draft.metadata,
        data=draft.data,
    )
