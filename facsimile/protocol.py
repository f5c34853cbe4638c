"""The operations that the library and the client share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self

if TYPE_CHECKING:
    from facsimile.images import ImageInput, SourceInput
    from facsimile.imaging.errors import FacsimileError
    from facsimile.imaging.record import Record
    from facsimile.ingest.item import Outcome, Tally
    from facsimile.results import Comparison, Finding, Job, Scan, Stored
    from facsimile.search.duplicates.cluster import Cluster
    from facsimile.search.match import Match
    from facsimile.search.params import SearchParams

#: what a search looks for: copies of the image, or images that resemble it, by their vectors alone
Mode = Literal["copies", "similar"]

#: doubtful bits that each band of a hash flips, or all one-bit neighbours
Probes = int | Literal["all"]


class Library(Protocol):
    """An index of images: opened by `facsimile.open`, or served to a `facsimile.Client`.

    Every error is a subclass of `FacsimileError`. A method that one of the two does not offer raises
    NotSupported with a sentence that says what to use.
    """

    def ingest(
        self,
        *sources: SourceInput,
        collection: str | None = None,
        on_outcome: Callable[[Outcome], None] | None = None,
    ) -> Tally:
        """Store images: files, folders, globs, archives, URLs, manifests (see `docs/ingest.md`)."""

    def add(
        self,
        image: ImageInput,
        *,
        id: str | None = None,
        collection: str | None = None,
        title: str = "",
        tags: str | Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        source: str = "",
        wait: bool | None = None,
    ) -> Stored:
        """Store one image; without an `id` it is named by the SHA-256 of its bytes. `wait=False` queues
        it."""

    def get(self, id: str, *, collection: str | None = None) -> Record:
        """A stored image. Raises RecordNotFound, and AmbiguousId where several collections have the id."""

    def thumbnail(self, id: str, *, collection: str | None = None) -> bytes:
        """A JPEG of a stored image, of at most 320 pixels a side. Raises as `get`."""

    def images(
        self,
        *,
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Iterator[Record]:
        """All stored images, by collection and id."""

    def update(
        self,
        id: str,
        *,
        collection: str | None = None,
        title: str | None = None,
        tags: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Record:
        """Change what is said of a stored image, without its picture; what is None stays. Raises as `get`."""

    def delete(self, id: str, *, collection: str | None = None) -> None:
        """Delete one record. Raises as `get`."""

    def remove(self, *ids: str, collection: str | None = None) -> int:
        """Delete the records with these ids or, without ids, a whole collection; returns how many there
        were."""

    def collections(self) -> dict[str, int]:
        """The collections, with the number of images of each."""

    def count(self, *, collection: str | None = None) -> int:
        """The number of images."""

    def search(
        self,
        image: ImageInput | None = None,
        *,
        limit: int = 10,
        mode: Mode = "copies",
        collections: str | Sequence[str] = (),
        filter: Mapping[str, str | Sequence[str]] | None = None,
        text: str = "",
        orientations: str | Sequence[str] | None = None,
        probes: Probes = 2,
        verify: bool = True,
        min_score: float = 0.0,
    ) -> Sequence[Match[Record]]:
        """The stored images that are copies of this one, best first; `SearchParams` describes the options."""

    def search_many(
        self, images: ImageInput | Sequence[ImageInput], params: SearchParams | None = None
    ) -> Sequence[Sequence[Match[Record]] | FacsimileError]:
        """The matches of several images; in the place of one that cannot be read, its error."""

    def compare(self, first: ImageInput, second: ImageInput) -> Comparison:
        """Every distance of two images, and the verdict of a search for the second that meets the first."""

    def duplicates(
        self,
        *,
        collection: str | None = None,
        radius: int | None = None,
        verify: bool = True,
        scenes: bool = False,
    ) -> list[Cluster]:
        """The images that are stored more than once, as clusters. The library's alone."""

    def scan(
        self,
        *suspects: SourceInput,
        catalogue: str,
        name: str = "",
        suspects_collection: str = "",
        include_similar: bool = False,
    ) -> Scan:
        """Search suspects, or a collection of them, for the works of a catalogue, and wait for the end."""

    def scans(self) -> list[Scan]:
        """All scans, the oldest first."""

    def findings(
        self, scan: str = "", *, states: str | Sequence[str] = (), work: str = "", site: str = ""
    ) -> Iterator[Finding]:
        """What a scan, or every scan, has found, less what is on the allow-list.

        `work` is `COLLECTION/ID`, `site` a host, `states` are those of review. Raises ScanNotFound.
        """

    def review(self, finding: str, *, state: str = "", comment: str = "", reviewer: str = "") -> Finding:
        """Set the state of a finding, or comment on it. Raises FindingNotFound, InvalidRequest."""

    def jobs(self) -> Iterator[Job]:
        """All jobs of the queue, the latest first."""

    def job(self, id: str) -> Job:
        """The progress of one job. Raises JobNotFound."""

    def close(self) -> None:
        """Close files and connections."""

    def __enter__(self) -> Self: ...
