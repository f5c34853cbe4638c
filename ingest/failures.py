"""The list of what failed, in a form that can be brought in again."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import Self

import orjson

from facsimile.ingest.item import Outcome

#: the columns that tell a line of this list from a line that a user wrote
VERDICT = ("reason", "error", "transient")


class FailureList:
    """Writes failed outcomes as JSON Lines, a manifest that `ingest` takes again.

    Lines go to `NAME.part`, each at once, and the file takes its name when the run has ended: a run may read
    the list of the run before and write its own under the same name. A run that an error or Ctrl-C ends
    leaves the old list as it was, since it holds what this run did not come to. A run without failures
    leaves an empty list. Raises OSError where the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._part = path.with_name(path.name + ".part")
        self._file = self._part.open("wb", buffering=0)

    def add(self, outcome: Outcome) -> None:
        """Write one failed outcome."""
        item = outcome.item
        line = {
            "source": item.place,
            "id": item.id,
            "collection": item.collection,
            "title": item.title,
            "tags": list(item.tags),
            "metadata": dict(item.metadata),
            **({"pages": [page.as_json() for page in item.pages]} if item.pages else {}),
            "reason": outcome.reason,
            "error": outcome.error,
            "transient": outcome.transient,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Give the list its name; a second call does nothing."""
        if not self._file.closed:
            self._file.close()
            self._part.replace(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._file.close()
