"""Object stores and the other file systems behind a URL (`s3://`, `gs://`, `ftp://`, `memory://`, …)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO, cast

from facsimile.imaging.errors import FacsimileError
from facsimile.ingest.errors import FetchUnavailable, SourceNotAllowed, SourceNotFound, SourceUnreadable

#: a URL whose parts are chained could lead round the checks of addresses
CHAIN = "::"


def read(url: str, max_bytes: int) -> bytes:
    """At most so many bytes from the beginning. Raises as `opened`."""
    with _ours(url):
        store, path = _located(url)
        return cast(bytes, store.cat_file(path, start=0, end=max_bytes))


@contextmanager
def opened(url: str) -> Iterator[BinaryIO]:
    """A file, for reading at any place of it.

    Raises SourceNotFound, SourceNotAllowed, SourceUnreadable; FetchUnavailable where the service fails.
    """
    with _ours(url):
        store, path = _located(url)
        file = store.open(path, "rb")
    with file:
        yield file


def is_folder(url: str) -> bool:
    """Whether other files lie below this one. Raises as `opened`, SourceNotFound where there is nothing."""
    with _ours(url):
        store, path = _located(url)
        if store.isdir(path):
            return True
        if store.exists(path):
            return False
    raise SourceNotFound(f"there is no {url}")


def walk(url: str) -> Iterator[str]:
    """The files below a folder as URLs, folder by folder in the order of names; hidden ones are left out."""
    with _ours(url):
        store, path = _located(url)
        for folder, folders, files in store.walk(path, on_error="raise"):
            # walk goes on into what this list is left with
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            for name in sorted(files):
                if name and not name.startswith("."):
                    yield str(store.unstrip_protocol(f"{folder.rstrip('/')}/{name}"))


def _located(url: str) -> tuple[Any, str]:
    if CHAIN in url:
        raise SourceNotAllowed(f"{url} is a chain of addresses, which is not allowed")
    import fsspec

    return cast(tuple[Any, str], fsspec.url_to_fs(url))


@contextmanager
def _ours(url: str) -> Iterator[None]:
    """Turn what the many libraries below raise into our errors."""
    try:
        yield
    except FacsimileError:
        raise
    except FileNotFoundError as error:
        raise SourceNotFound(f"there is no {url}") from error
    except (PermissionError, IsADirectoryError) as error:
        raise SourceUnreadable(f"{url} cannot be read ({error})") from error
    except OSError as error:
        raise FetchUnavailable(f"{url} cannot be read at present ({error})") from error
    except ImportError as error:
        raise SourceUnreadable(f"{url} needs another library ({error})") from error
    except ValueError as error:
        raise SourceNotAllowed(f"{url} is no address that is known here ({error})") from error
    except Exception as error:  # each service's library has exceptions of its own
        if _is_unreachable(error):
            raise FetchUnavailable(f"{url} cannot be read at present ({error})") from error
        raise SourceUnreadable(f"{url} cannot be read ({error})") from error


def _is_unreachable(error: Exception) -> bool:
    """Whether botocore, below s3fs, had no answer from the service."""
    botocore = sys.modules.get("botocore.exceptions")
    return botocore is not None and isinstance(error, (botocore.HTTPClientError, botocore.ConnectionError))
