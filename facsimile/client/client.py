"""The operations of `facsimile.library.Facsimile`, over HTTP: the same calls, the same attributes."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack
from urllib.parse import quote

from facsimile.client.errors import error_of
from facsimile.client.models import Comparison, Image, Job, Match, Stored
from facsimile.client.transport import Connection
from facsimile.imaging.errors import FacsimileError
from facsimile.imaging.record import DEFAULT_COLLECTION
from facsimile.search.errors import AmbiguousId, RecordNotFound

if TYPE_CHECKING:
    from facsimile.imaging.describe import Probes
    from facsimile.ingest.item import Item, Outcome, Tally
    from facsimile.search.ranking import Mode

#: an image: its bytes, a path, an http(s) address (which the server fetches), an fsspec URL, or `id:ID`
Picture = bytes | str | Path

#: images on their way to the server at a time
UPLOADS = 4


class How(TypedDict, total=False):
    """How to search: the keywords of `Facsimile.search`, and the least score of a match that is wanted."""

    limit: int
    collections: Sequence[str]
    filter: Mapping[str, str]
    text: str
    mode: Mode
    orientations: Sequence[str]
    probes: Probes
    verify: bool
    min_score: float


class Client:
    """A server of Facsimile. Use it in a `with` statement, or close it; threads may share it.

    `timeout` is in seconds for one request. A request that meets a busy or absent server is made again for up
    to `patience` seconds; a write is done once all the same. Errors are subclasses of FacsimileError
    (`facsimile.client.errors` draws those that only a server has).
    """

    def __init__(
        self, base_url: str, api_key: str | None = None, *, timeout: float = 60.0, patience: float = 30.0
    ) -> None:
        self._server = Connection(base_url, api_key, timeout, patience)

    # -- writing -------------------------------------------------------------------------------------------

    def ingest(
        self,
        *sources: str | Path,
        collection: str | None = None,
        on_outcome: Callable[[Outcome], None] | None = None,
        passed_over: Callable[[str], None] = lambda name: None,
    ) -> Tally:
        """Store images: files, folders, globs, archives, URLs, lists (see `docs/ingest.md`).

        Files are read here and uploaded, http(s) addresses are fetched by the server. One bad image never
        ends the run: it counts as failed, and `on_outcome` is told of each image.
        """
        from facsimile.client.uploads import stored_all
        from facsimile.ingest.sources import all_items

        within = collection or DEFAULT_COLLECTION
        items = all_items([str(source) for source in sources], collection=within, passed_over=passed_over)
        # the default is the server's to choose: the key may be for another collection
        return stored_all(items, partial(self._add, default=not collection), UPLOADS, on_outcome)

    def _add(self, item: Item, data: bytes | None, *, default: bool) -> Stored:
        return self.add(
            item.source if data is None else data,
            id=item.id,
            collection=None if default and item.collection == DEFAULT_COLLECTION else item.collection,
            title=item.title,
            tags=item.tags,
            metadata=item.metadata,
            source=item.source,
            wait=True,
        )

    def add(
        self,
        image: Picture,
        *,
        id: str | None = None,
        collection: str | None = None,
        title: str = "",
        tags: Sequence[str] = (),
        metadata: Mapping[str, Any] | None = None,
        source: str = "",
        wait: bool | None = None,
    ) -> Stored:
        """Store one image; without an `id` it is named by the SHA-256 of its bytes.

        `wait=False` leaves it to the server's queue, which is also the default where there is one.
        """
        about = {"id": id, "collection": collection, "title": title, "tags": list(tags), "source": source}
        given = {name: value for name, value in about.items() if value}
        told = self._post(
            "/v1/images",
            given | ({"metadata": dict(metadata)} if metadata else {}),
            _image(image),
            params={} if wait is None else {"wait": json.dumps(wait)},
            headers={"Idempotency-Key": secrets.token_hex(16)},
        )
        if "job" in told:
            return Stored(id=id or "", collection=collection or "", status="queued", job=told["job"])
        return Stored(id=told["id"], collection=told["collection"], status=told["status"])

    def remove(self, *ids: str, collection: str | None = None) -> int:
        """Forget the records with these ids, or, without ids, a whole collection; how many there were."""
        if ids:
            return sum(self._remove(id, collection) for id in ids)
        removed = 0
        for name in [collection] if collection else self.collections():
            try:
                told = self._server.ask("DELETE", f"/v1/collections/{_segment(name)}", once=True).json()
            except RecordNotFound:
                continue
            removed += told["removed"]
        return removed

    def _remove(self, id: str, collection: str | None) -> int:
        headers = {"Idempotency-Key": secrets.token_hex(16)}
        try:
            self._server.ask("DELETE", _path(id), params=_within(collection), headers=headers)
        except RecordNotFound:
            return 0
        except AmbiguousId as error:
            return sum(self._remove(id, each) for each in error.collections)
        return 1

    # -- asking --------------------------------------------------------------------------------------------

    def search(self, image: Picture | None = None, **how: Unpack[How]) -> list[Match]:
        """Where this picture occurs, best first; without a picture, whose title or tags hold the words."""
        told = self._post("/v1/search", _asked(how), {} if image is None else _image(image))
        return [Match.of(match) for match in told["matches"]]

    def search_many(
        self, images: Sequence[Picture], **how: Unpack[How]
    ) -> list[list[Match] | FacsimileError]:
        """The same for several pictures by one request; where one could not be read, the error."""
        queries = [_as_json(_image(image)) for image in images]
        told = self._server.ask("POST", "/v1/search/batch", json=_asked(how) | {"queries": queries}).json()
        return [
            error_of(answer["error"]["status"], answer["error"])
            if answer["error"]
            else [Match.of(match) for match in answer["matches"]]
            for answer in told["answers"]
        ]

    def compare(self, first: Picture, second: Picture) -> Comparison:
        """Every distance of two pictures, and the verdict that a search would give."""
        body = {"first": _as_json(_image(first)), "second": _as_json(_image(second))}
        return Comparison.of(self._server.ask("POST", "/v1/compare", json=body).json())

    def get(self, id: str, *, collection: str | None = None) -> Image:
        """A stored image. Raises RecordNotFound, and AmbiguousId where several collections have the id."""
        return Image.of(self._server.ask("GET", _path(id), params=_within(collection)).json())

    def thumbnail(self, id: str, *, collection: str | None = None) -> bytes:
        """A JPEG of a stored image, of at most 320 pixels a side."""
        return self._server.ask("GET", f"{_path(id)}/thumbnail", params=_within(collection)).content

    def images(
        self, *, collections: Sequence[str] = (), filter: Mapping[str, str] | None = None, part: int = 200
    ) -> Iterator[Image]:
        """All stored images, by collection and id, asked for `part` by part."""
        pairs = [f"{key}={value}" for key, value in (filter or {}).items()]
        asked: dict[str, Any] = {"collection": list(collections), "filter": pairs, "limit": part}
        while True:
            told = self._server.ask("GET", "/v1/images", params=asked).json()
            yield from (Image.of(image) for image in told["images"])
            if not told["cursor"]:
                return
            asked["cursor"] = told["cursor"]

    def collections(self) -> dict[str, int]:
        """The collections that the key may see, and how many images each has."""
        told = self._server.ask("GET", "/v1/collections").json()
        return {each["name"]: each["images"] for each in told["collections"]}

    def count(self, *, collection: str | None = None) -> int:
        """How many images there are."""
        counts = self.collections()
        return counts.get(collection, 0) if collection else sum(counts.values())

    def job(self, id: str) -> Job:
        """How far a job of the queue is. Raises JobNotFound."""
        return Job.of(self._server.ask("GET", f"/v1/jobs/{_segment(id)}").json())

    # -- life ----------------------------------------------------------------------------------------------

    def _post(
        self, path: str, fields: Mapping[str, Any], image: Mapping[str, Any], **parts: Any
    ) -> dict[str, Any]:
        """JSON, or where the image is bytes, a form, which carries them as they are."""
        body: dict[str, Any] = {"json": {**fields, **image}}
        if "data" in image:
            form = {name: _field(value) for name, value in fields.items()}
            body = {"files": {"image": ("image", image["data"])}, "data": form}
        told: dict[str, Any] = self._server.ask("POST", path, **body, **parts).json()
        return told

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _asked(how: How) -> dict[str, Any]:
    """The options of a search as fields of its request."""
    fields: dict[str, Any] = dict(how)
    for name in ("collections", "orientations"):
        if name in fields:
            fields[name] = list(fields[name])
    if "filter" in fields:
        fields["filter"] = {key: [value] for key, value in fields["filter"].items()}
    return fields


def _image(image: Picture) -> dict[str, Any]:
    """How a request names an image: `url`, `id`, or its bytes as `data`. Raises SourceError."""
    if isinstance(image, bytes):
        return {"data": image}
    place = str(image)
    if isinstance(image, str) and place.startswith("id:"):
        return {"id": place.removeprefix("id:")}
    if place.startswith(("http://", "https://")):
        return {"url": place}
    from facsimile.ingest.item import Item
    from facsimile.ingest.loader import Loader

    with Loader() as loader:
        answer = loader.load([Item(place)])[0]
    if isinstance(answer, FacsimileError):
        raise answer
    return {"data": answer}


def _as_json(image: Mapping[str, Any]) -> dict[str, Any]:
    return {"image_base64": b64encode(image["data"]).decode()} if "data" in image else dict(image)


def _field(value: Any) -> Any:
    """A value as the field of a form."""
    if isinstance(value, list):
        return [str(each) for each in value]
    return value if isinstance(value, str) else json.dumps(value)


def _segment(name: str) -> str:
    return quote(name, safe="")


def _path(id: str) -> str:
    return f"/v1/images/{_segment(id)}"


def _within(collection: str | None) -> dict[str, str]:
    return {"collection": collection} if collection else {}
