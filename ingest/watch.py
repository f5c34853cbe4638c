"""What changes in folders while a program watches them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from watchfiles import Change, watch

from facsimile.ingest.errors import SourceNotFound
from facsimile.ingest.sources import is_image_name

#: milliseconds within which changes are gathered: a file that is being written changes many times
GATHERED = 1600

#: milliseconds after which the folders themselves are looked for, though nothing has changed
IDLE = 1000


@dataclass(frozen=True, slots=True)
class Changes:
    """Absolute paths of images and folders: those that are there to be read, and those that are gone."""

    present: tuple[str, ...]
    absent: tuple[str, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        return self.present + self.absent


def changes(folders: Sequence[str | Path], stop: Event | None = None) -> Iterator[Changes]:
    """What changes in folders and the folders in them, until `stop` is set: at first the folders themselves,
    to be read whole. What changes while a caller works on one value is in the next.

    Raises SourceNotFound where one of the folders is not there, or not any more: with the disk that it was
    on, all of its files would seem to be gone.
    """
    tops = tuple(os.path.abspath(folder) for folder in folders)  # noqa: PTH100 - links keep their names
    _check(tops)

    def is_visible(change: Change, path: str) -> bool:
        below = (os.path.relpath(path, top) for top in tops if path.startswith(top + os.sep))
        return not any(part.startswith(".") for each in below for part in Path(each).parts)

    begun = False
    for batch in watch(
        *tops,
        watch_filter=is_visible,
        debounce=GATHERED,
        stop_event=stop,
        rust_timeout=IDLE,
        yield_on_timeout=True,
        ignore_permission_denied=True,
    ):
        _check(tops)
        found = _changes(sorted({path for _, path in batch}))
        if not begun:
            begun = True
            yield Changes(tops, found.absent)
        elif found.paths:
            yield found


def _changes(paths: Sequence[str]) -> Changes:
    present = [path for path in paths if os.path.lexists(path)]
    absent = [path for path in paths if path not in set(present)]
    readable = [path for path in present if Path(path).is_dir() or is_image_name(Path(path).name)]
    return Changes(tuple(readable), tuple(absent))


def _check(folders: Sequence[str]) -> None:
    for folder in folders:
        if not Path(folder).is_dir():
            raise SourceNotFound(f"there is no folder {folder}")
