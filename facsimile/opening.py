"""`facsimile.open`."""

from __future__ import annotations

from pathlib import Path

from facsimile.library import Facsimile
from facsimile.settings import Settings, changed


def open(
    location: str | Path | None = None,
    *,
    create: bool = True,
    model: str | None = None,
    settings: Settings | None = None,
) -> Facsimile:
    """Open an index: a folder, or `http(s)://HOST/NAME` on Elasticsearch.

    Without a location, the setting `FACSIMILE_INDEX` names it; with `create` it is created where there is
    none, with the vectors of `model` (`none`: hashes alone). `settings` replaces those of the environment
    (see `docs/settings.md`). Raises InvalidRequest, IndexUnavailable, IndexMismatch, ModelError, and
    IndexNotFound where `create` is False.
    """
    chosen = settings or changed({})
    if model is not None:
        chosen = chosen.model_copy(update={"model": model})
    return Facsimile(str(location or chosen.index), chosen, create=create)
