"""What the user names, as a stream of images: files, folders, globs, archives, crawls, URLs, lists."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.ingest import archives, manifests, storage, warc
from facsimile.ingest.errors import (
    FetchUnavailable,
    NothingFound,
    SourceError,
    SourceNotFound,
    SourceUnreadable,
)
from facsimile.ingest.item import Item, Outcome, shown
from facsimile.ingest.open_source import is_remote, is_web, opened
from facsimile.search.index.validation import check_collection

#: names that are taken from folders, globs and archives; a file that is named itself is always tried
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".gif", ".webp", ".tif", ".tiff", ".bmp", ".dib"),
    *(".avif", ".heic", ".heif", ".jp2", ".j2k", ".jpx", ".ppm", ".pgm", ".pbm", ".pnm", ".ico"),
)

#: the longest member of an archive, in bytes, unless the caller says otherwise
MAX_BYTES = 50_000_000

Found = Iterator[Item | Outcome]


def _ignore(name: str) -> None:
    pass


def items(
    source: str,
    *,
    collection: str = DEFAULT_COLLECTION,
    max_bytes: int = MAX_BYTES,
    archive_limits: archives.ArchiveLimits | None = None,
    passed_over: Callable[[str], None] = _ignore,
) -> Found:
    """The images of one source, one at a time, in the same order each time.

    A source is a file, a folder (with the folders in it, without hidden ones), a glob (`**` too), an archive,
    a web crawl (WARC), an http(s) URL, any URL of fsspec, or a list (see `facsimile.ingest.manifests`).
    What is no image by its name is skipped, and passed to `passed_over`. What cannot be read is a failed
    outcome.

    Raises SourceNotFound, NothingFound, ManifestError, and SourceNotAllowed for an unknown kind of URL.
    """
    found = False
    for each in _Reader(collection, max_bytes, archive_limits, passed_over).read(source):
        found = True
        yield each
    if not found:
        raise NothingFound(f"there is no image in {shown(source)}")


def all_items(
    sources: Sequence[str],
    *,
    collection: str = DEFAULT_COLLECTION,
    max_bytes: int = MAX_BYTES,
    archive_limits: archives.ArchiveLimits | None = None,
    passed_over: Callable[[str], None] = _ignore,
) -> Found:
    """The images of several sources. That each has at least one is seen before the first is given out, so
    that a mistyped name ends a run before it writes anything. Raises as `items`, and InvalidRequest for a
    name that no collection can have.
    """
    check_collection(collection)
    for source in sources:
        if warc.is_warc(source):  # its first image comes after all of its pages
            with opened(source.removeprefix("file://")):
                continue
        next(items(source, collection=collection, max_bytes=max_bytes))
    for source in sources:
        yield from items(
            source,
            collection=collection,
            max_bytes=max_bytes,
            archive_limits=archive_limits,
            passed_over=passed_over,
        )


def present_items(paths: Sequence[str], *, collection: str = DEFAULT_COLLECTION) -> Found:
    """The images of files and folders, any of which may hold none, or be gone meanwhile."""
    for path in paths:
        with suppress(NothingFound, SourceNotFound):
            yield from items(path, collection=collection)


def count(sources: Sequence[str]) -> int | None:
    """How many images there are, for the time left; None where that would mean reading archives or asking a
    service. Raises as `items`.
    """
    if any("://" in source or _is_container(source) for source in sources):
        return None
    return sum(1 for source in sources for _ in items(source))


def is_image_name(name: str) -> bool:
    """Whether a file of this name is taken for an image; hidden ones and macOS's shadow files are not."""
    parts = name.replace("\\", "/").split("/")
    hidden = any((part[:1] == "." and part not in (".", "..")) or part == "__MACOSX" for part in parts)
    return not hidden and name.lower().endswith(IMAGE_SUFFIXES)


def _is_list(name: str) -> bool:
    """Whether a file of this name stands for many images."""
    return _is_container(name) or manifests.is_manifest(name)


def _is_container(name: str) -> bool:
    """Whether a file of this name holds images."""
    return archives.is_archive(name) or warc.is_warc(name)


class _Reader:
    def __init__(
        self,
        collection: str,
        max_bytes: int,
        archive_limits: archives.ArchiveLimits | None,
        passed_over: Callable[[str], None],
    ) -> None:
        self._collection = collection
        self._max_bytes = max_bytes
        self._archive_limits = archive_limits
        self._passed_over = passed_over

    def read(self, source: str) -> Found:
        source = source.removeprefix("file://")
        if is_web(source):
            yield Item(source, collection=self._collection)
        elif is_remote(source):
            yield from self._stored(source)
        elif os.path.exists(source):  # noqa: PTH110 - a name with NUL raises in pathlib
            yield from self._local(os.path.abspath(source))  # noqa: PTH100 - links keep their names
        elif glob.has_magic(source):
            yield from self._glob(source)
        else:
            raise SourceNotFound(f"there is no {shown(source)}")

    def _local(self, path: str) -> Found:
        if Path(path).is_dir():
            yield from self._folder(path)
        elif _is_list(path):
            yield from self._listed(path)
        else:
            yield self._file(path)

    def _stored(self, url: str) -> Found:
        if storage.is_folder(url):
            for each in storage.walk(url):
                yield from self._if_image(each)
        elif _is_list(url):
            yield from self._listed(url)
        else:
            yield Item(url, collection=self._collection)

    def _listed(self, name: str) -> Found:
        """What a file holds that stands for many images."""
        try:
            with opened(name) as file:
                if manifests.is_manifest(name):
                    folder = name.rpartition("/")[0]
                    yield from manifests.read(file, name, folder=folder, collection=self._collection)
                elif warc.is_warc(name):
                    yield from warc.read(
                        file,
                        name,
                        is_image=is_image_name,
                        max_bytes=self._max_bytes,
                        collection=self._collection,
                    )
                else:
                    yield from archives.read(
                        file,
                        name,
                        wanted=self._wanted,
                        max_bytes=self._max_bytes,
                        limits=self._archive_limits,
                        collection=self._collection,
                    )
        except (SourceUnreadable, FetchUnavailable) as error:
            yield self._failed(name, error)

    def _glob(self, pattern: str) -> Found:
        matches = sorted(glob.iglob(os.path.expanduser(pattern), recursive=True))  # noqa: PTH111, PTH207
        if not matches:
            raise SourceNotFound(f"nothing matches {shown(pattern)}")
        # `**` names folders beside what is in them
        recursive = "**" in pattern
        for match in matches:
            path = os.path.abspath(match)  # noqa: PTH100
            if Path(path).is_dir():
                if not recursive:
                    yield from self._folder(path)
            elif _is_container(path):
                yield from self._local(path)
            else:
                yield from self._if_image(path)

    def _folder(self, top: str) -> Found:
        waiting = [top]
        seen: set[tuple[int, int]] = set()
        while waiting:
            folder = waiting.pop()
            try:
                facts = os.stat(folder)  # noqa: PTH116
                if (facts.st_dev, facts.st_ino) in seen:  # a link to a folder that was read already
                    continue
                seen.add((facts.st_dev, facts.st_ino))
                with os.scandir(folder) as entries:
                    visible = sorted(
                        (entry for entry in entries if not entry.name.startswith(".")),
                        key=lambda entry: entry.name,
                    )
            except OSError as error:
                yield self._failed(
                    folder, SourceUnreadable(f"{shown(folder)} cannot be read ({error.strerror})")
                )
                continue
            # without links the listing itself tells folders; isdir, unlike the rest, never raises
            folders = {
                entry.path: None
                for entry in visible
                if (os.path.isdir(entry) if entry.is_symlink() else entry.is_dir())  # noqa: PTH112
            }
            for entry in visible:
                if entry.path not in folders:
                    yield from self._if_image(entry.path)
            waiting += reversed(folders)

    def _if_image(self, place: str) -> Found:
        if self._wanted(place.rsplit("/", 1)[-1]):
            yield self._file(place)

    def _wanted(self, name: str) -> bool:
        if is_image_name(name):
            return True
        self._passed_over(name)
        return False

    def _file(self, place: str) -> Item | Outcome:
        if shown(place) != place:
            return self._failed(place, SourceUnreadable(f"the name {shown(place)} is not UTF-8: rename it"))
        return Item(place, collection=self._collection)

    def _failed(self, place: str, error: SourceError) -> Outcome:
        return Outcome.failed(Item(shown(place), collection=self._collection), error)
