"""The API over an index of the settings: opens what the routes need and hands it to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from facsimile.api.app import create_app
from facsimile.api.auth import KeyPolicy
from facsimile.api.metrics import Metrics
from facsimile.api.service import DescribeItems, Service
from facsimile.imaging.models import model as make_model
from facsimile.ingest.isolated import IsolatedReader, no_model
from facsimile.ingest.item import Item, Outcome
from facsimile.ingest.loader import Loader
from facsimile.ingest.pipeline import process
from facsimile.job_queue import JobQueue
from facsimile.search.index.opening import model_of, open_index, signatures_of, stored_signatures
from facsimile.settings import Settings
from facsimile.version import __version__

if TYPE_CHECKING:
    from fastapi import FastAPI

#: the names of this machine for itself
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def open_service(location: str, chosen: Settings, *, create: bool = False) -> tuple[Service, Loader]:
    """The service over an index, and the loader that it fetches with; `create` makes a missing index.

    Raises the errors of `facsimile.search.errors` and of models.
    """
    elastic = chosen.elastic
    index = open_index(location, elastic, create=signatures_of(chosen.new_model()) if create else None)
    model = model_of(index, requested=chosen.model, options=chosen.running)
    loader = Loader(chosen.fetching, files=False)

    reader = IsolatedReader(
        processes=chosen.api.threads,
        seconds=min(chosen.image_timeout, chosen.api_timeout / 2),
        batch_seconds=chosen.api_timeout,
        limits=chosen.limits,
        open_model=partial(make_model, model.name, **asdict(model.options)) if model else no_model,
    )

    def write(items: Sequence[Item], describe: DescribeItems) -> list[Outcome]:
        return process(items, index=index, loader=loader, limits=chosen.limits, describe=describe)

    queue = JobQueue(index, chosen) if chosen.api_queue else None
    service = Service(
        index=index,
        thresholds=chosen.thresholds,
        policy=chosen.verification,
        limits=chosen.limits,
        model=model,
        read=reader.read,
        fetch=partial(loader.fetch, within=chosen.api_timeout),
        write=write,
        stored=partial(stored_signatures, location, elastic),
        submit=queue.submit if queue else None,
        retry=queue.redrive if queue else None,
        checks={} if queue is None else {"queue": queue.ping},
        close=reader.close,
    )
    return service, loader


def application(
    location: str,
    chosen: Settings,
    *,
    keys: KeyPolicy,
    local: bool,
    shared: Path | None = None,
    abandon: Callable[[], object] = lambda: None,
) -> FastAPI:
    """The application of one process of the server; `shared` is the folder of the figures of all of them.

    `keys` says whether callers need one; `local` keeps requests away that do not call this machine by a
    loopback name: they come from web pages that had their name point here.
    """
    service, _ = open_service(location, chosen)
    options = chosen.api
    if local and not options.hosts:
        options = replace(options, hosts=LOOPBACK)
    return create_app(
        service,
        options,
        keys=keys,
        metrics=Metrics(shared),
        abandon=abandon,
        version=__version__,
    )
