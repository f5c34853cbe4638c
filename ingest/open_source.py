"""Opening what has bytes, on a disk or behind a URL."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from facsimile.ingest import storage
from facsimile.ingest.errors import SourceNotFound, SourceUnreadable


def is_web(place: str) -> bool:
    """Whether the bytes come by http or https."""
    return place[:8].lower().startswith(("http://", "https://"))


def is_remote(place: str) -> bool:
    """Whether the bytes come over a network, or from a service that may."""
    return "://" in place


@contextmanager
def opened(place: str) -> Iterator[BinaryIO]:
    """A file, for reading at any place of it.

    Raises SourceNotFound, SourceNotAllowed, SourceUnreadable; FetchUnavailable where a service fails.
    """
    if is_remote(place):
        with storage.opened(place) as file:
            yield file
        return
    try:
        with open(place, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise SourceUnreadable(f"{place} is no regular file")
            yield file
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # ValueError: a NUL in the name
        raise SourceNotFound(f"there is no {place}") from error
    except IsADirectoryError as error:
        raise SourceUnreadable(f"{place} is a folder, where a file is expected") from error
    except OSError as error:
        raise SourceUnreadable(f"{place} cannot be read ({error.strerror})") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open, but never wait for the other end of a pipe."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))
