"""Rebuilds an index for another model, hash or layout while it serves."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from facsimile.imaging.models import DEFAULT_MODEL
from facsimile.imaging.phash import HASH_VERSION
from facsimile.ingest.loader import Loader
from facsimile.ingest.recompute import Redescribed, Redescriber
from facsimile.search.index.opening import (
    family,
    is_complete,
    rebuild_index,
    signatures_of,
    stored_signatures,
)

if TYPE_CHECKING:
    from facsimile.search.index.base import IndexInfo, Progress
    from facsimile.settings import Settings


def reindex(
    location: str,
    chosen: Settings,
    *,
    model: str | None = None,
    fetch: bool = False,
    panels: bool = False,
    progress: Progress | None = None,
) -> tuple[IndexInfo, Redescribed]:
    """Rebuild an index with the current layout and settings; returns its new description.

    `model` names the one whose vectors it shall keep ("none": hashes alone). Without it the model stays;
    signatures are recomputed only where this program has another version of the hash or of its own network.
    They are made from the pictures where those still lie (those on the network only with `fetch`), else
    from the thumbnails. `panels` finds the pictures within each picture again. The same call continues what
    an interruption left. Raises StoreError and ModelError.
    """
    options = chosen.elastic
    old = stored_signatures(location, options)
    if model is None and family(old.model) != DEFAULT_MODEL:
        made = None
        new = dataclasses.replace(old, hash=HASH_VERSION)
    else:
        made = chosen.new_model(model or DEFAULT_MODEL)
        new = signatures_of(made)
    outdated = not is_complete(location, options)
    as_they_are = model is None and new == old and not (outdated or panels)
    with Loader(chosen.fetching) as loader:
        redescriber = Redescriber(
            old,
            new,
            loader=loader,
            limits=chosen.limits,
            model=made,
            fetch=fetch,
            outdated=outdated,
            panels=panels,
        )
        with rebuild_index(
            location,
            options,
            signatures=new,
            transform=None if as_they_are else redescriber,
            progress=progress,
        ) as index:
            index.refresh()
            info = index.info()
    return info, Redescribed(kept=info.count) if as_they_are else redescriber.tally
