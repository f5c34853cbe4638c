"""`facsimile.open`."""

from __future__ import annotations

import re
from pathlib import Path

from facsimile.library import Facsimile
from facsimile.search.errors import InvalidRequest
from facsimile.settings import Settings, changed

#: names of indices in the data folder
_NAME = re.compile(r"@[\w-][\w.-]*")


def named_index(location: str, folder: Path) -> str:
    """The location of an index; `@NAME` is the folder NAME in this data folder.

    Raises InvalidRequest for a name that is none.
    """
    if not location.startswith("@"):
        return location
    if not _NAME.fullmatch(location):
        raise InvalidRequest(f"{location!r} is not @NAME: a name has letters, digits, and inner . _ -")
    return str(folder.expanduser() / location[1:])


def open(
    location: str | Path | None = None,
    *,
    create: bool = True,
    model: str | None = None,
    settings: Settings | None = None,
) -> Facsimile:
    """Open an index: a folder, `@NAME` in the data folder, or `http(s)://HOST/NAME` on Elasticsearch.

    Without a location, the setting `FACSIMILE_INDEX` names it; with `create` it is created where there is
    none, with the vectors of `model` (`none`: hashes alone). `settings` replaces those of the environment
    (see `docs/settings.md`). Raises InvalidRequest, IndexUnavailable, IndexMismatch, ModelError, and
    IndexNotFound where `create` is False.
    """
    chosen = settings or changed({})
    if model is not None:
        chosen = chosen.model_copy(update={"model": model})
    return Facsimile(named_index(str(location or chosen.index), chosen.data_folder), chosen, create=create)
