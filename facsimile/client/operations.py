"""The requests of the client: each operation as a value, which a synchronous or an asynchronous transport
sends."""

from __future__ import annotations

import json
import secrets
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from urllib.parse import quote

from facsimile.client.errors import NotSupported, error_of
from facsimile.images import ImageInput, bytes_or_place
from facsimile.imaging.errors import FacsimileError, ImageError
from facsimile.ingest.errors import SourceError
from facsimile.search.errors import InvalidRequest
from facsimile.search.sequences import listed

if TYPE_CHECKING:
    import httpx

    from facsimile.imaging.record import Record, WebPage
    from facsimile.ingest.item import Item
    from facsimile.results import Comparison, Finding, Job, Scan, Stored
    from facsimile.search.match import Match
    from facsimile.search.params import SearchParams

T = TypeVar("T")

#: an image as a request names it: its bytes as `data`, a `url`, or the `id` of a stored one
Upload = Mapping[str, Any]

#: items of one page of a listing
PAGE = 200


@dataclass(frozen=True, slots=True)
class Operation(Generic[T]):
    """One request: `parts` are keywords of httpx, `parse` reads the response; with `once` it must not be sent
    again after its connection broke."""

    method: str
    path: str
    parse: Callable[[httpx.Response], T]
    parts: Mapping[str, Any] = field(default_factory=dict)
    once: bool = False


@dataclass(frozen=True, slots=True)
class JsonPage(Generic[T]):
    """A part of a listing, and the cursor of the next one (None at the end)."""

    items: list[T]
    cursor: str | None


def upload(image: ImageInput) -> Upload:
    """An image for a request; a file is read here. Raises SourceError."""
    given = bytes_or_place(image)
    if isinstance(given, bytes):
        return {"data": given}
    place = given
    if isinstance(image, str) and place.startswith("id:"):
        return {"id": place.removeprefix("id:")}
    if place.startswith(("http://", "https://")):
        return {"url": place}
    from facsimile.ingest.item import Item
    from facsimile.ingest.loader import Loader

    with Loader() as loader:
        (data,) = loader.load([Item(place)])
    if isinstance(data, FacsimileError):
        raise data
    return {"data": data}


def upload_or_error(image: ImageInput) -> Upload | FacsimileError:
    """As `upload`, for one of several images, of which one that cannot be read does not end the others."""
    try:
        return upload(image)
    except (SourceError, ImageError, InvalidRequest) as error:
        return error


def readable(images: Sequence[Upload | FacsimileError]) -> list[Upload]:
    """Those of several images that are to be sent."""
    return [image for image in images if not isinstance(image, FacsimileError)]


def in_places(
    images: Sequence[Upload | FacsimileError], answers: Sequence[T | FacsimileError]
) -> list[T | FacsimileError]:
    """The answers to those that were sent, and the errors of the others, in the order of the images."""
    found = iter(answers)
    return [image if isinstance(image, FacsimileError) else next(found) for image in images]


def add(
    image: Upload,
    *,
    id: str | None,
    collection: str | None,
    title: str,
    tags: str | Sequence[str],
    metadata: Mapping[str, Any] | None,
    source: str,
    wait: bool | None,
    pages: Sequence[WebPage] = (),
) -> Operation[Stored]:
    """Store one image."""
    from facsimile.results import Stored

    def parse(response: httpx.Response) -> Stored:
        data = response.json()
        if "job" in data:
            return Stored(id=id or "", collection=collection or "", status="queued", job=data["job"])
        return Stored(id=data["id"], collection=data["collection"], status=data["status"])

    about = {"id": id, "collection": collection, "title": title, "tags": list(listed(tags)), "source": source}
    fields: dict[str, Any] = {name: value for name, value in about.items() if value}
    if metadata:
        fields["metadata"] = dict(metadata)
    if pages:
        fields["pages"] = [page.as_json() for page in pages]
    parts = {
        **_body(fields, image),
        "params": {} if wait is None else {"wait": json.dumps(wait)},
        "headers": _idempotent(),
    }
    return Operation("POST", "/v1/images", parse, parts)


def add_item(item: Item, data: bytes | None, *, default: bool) -> Operation[Stored]:
    """Store an item of a source, whose bytes are None where the server fetches them.

    With `default` the default collection is left to the server, whose key may be for another one.
    """
    from facsimile.imaging.record import DEFAULT_COLLECTION

    return add(
        {"url": item.source} if data is None else {"data": data},
        id=item.id,
        collection=None if default and item.collection == DEFAULT_COLLECTION else item.collection,
        title=item.title,
        tags=item.tags,
        metadata=item.metadata,
        pages=item.pages,
        source=item.source,
        wait=True,
    )


def get(id: str, collection: str | None) -> Operation[Record]:
    """Read one record."""
    return Operation("GET", _path(id), lambda response: _record(response.json()), _within(collection))


def thumbnail(id: str, collection: str | None) -> Operation[bytes]:
    """Read the thumbnail of a record."""
    return Operation("GET", f"{_path(id)}/thumbnail", lambda response: response.content, _within(collection))


def update(
    id: str,
    collection: str | None,
    title: str | None,
    tags: str | Sequence[str] | None,
    metadata: Mapping[str, Any] | None,
) -> Operation[Record]:
    """Change what is said of a record."""
    said = {"title": title, "tags": None if tags is None else list(listed(tags)), "metadata": metadata}
    body = {name: value for name, value in said.items() if value is not None}
    parts = {**_within(collection), "json": body}
    return Operation("PATCH", _path(id), lambda response: _record(response.json()), parts)


def delete(id: str, collection: str | None) -> Operation[None]:
    """Delete one record."""
    parts = {**_within(collection), "headers": _idempotent()}
    return Operation("DELETE", _path(id), lambda response: None, parts)


def delete_collection(name: str) -> Operation[int]:
    """Delete a collection."""
    path = f"/v1/collections/{_segment(name)}"
    return Operation("DELETE", path, lambda response: int(response.json()["removed"]), once=True)


def images(
    collections: str | Sequence[str], filter: Mapping[str, str | Sequence[str]] | None, cursor: str | None
) -> Operation[JsonPage[Record]]:
    """List records."""
    pairs = [
        f"{key}={value}"
        for key, values in (filter or {}).items()
        for value in ([values] if isinstance(values, str) else values)
    ]
    params = {"collection": list(listed(collections)), "filter": pairs, "limit": PAGE, **_after(cursor)}
    return Operation("GET", "/v1/images", _page("images", _record), {"params": params})


def collections() -> Operation[dict[str, int]]:
    """List the collections."""
    return Operation(
        "GET",
        "/v1/collections",
        lambda response: {each["name"]: each["images"] for each in response.json()["collections"]},
    )


def search(image: Upload, params: SearchParams) -> Operation[list[Match[Record]]]:
    """Search for one image, or for text alone."""
    parts = _body(_options(params), image)
    return Operation("POST", "/v1/search", lambda response: _matches(response.json()), parts)


def search_many(
    images: Sequence[Upload], params: SearchParams
) -> Operation[list[list[Match[Record]] | FacsimileError]]:
    """Search for several images."""

    def parse(response: httpx.Response) -> list[list[Match[Record]] | FacsimileError]:
        return [
            error_of(answer["error"]["status"], answer["error"]) if answer["error"] else _matches(answer)
            for answer in response.json()["answers"]
        ]

    body = _options(params) | {"queries": [_as_json(image) for image in images]}
    return Operation("POST", "/v1/search/batch", parse, {"json": body})


def compare(first: Upload, second: Upload) -> Operation[Comparison]:
    """Compare two images."""
    from facsimile.results import Comparison

    body = {"first": _as_json(first), "second": _as_json(second)}
    return Operation(
        "POST", "/v1/compare", lambda response: Comparison.from_json(response.json()), {"json": body}
    )


def start_scan(name: str, catalogue: str, suspects: str, *, include_similar: bool) -> Operation[Scan]:
    """Have the workers carry out a scan."""
    body = {"catalogue": catalogue, "suspects": suspects, "include_similar": include_similar}
    return Operation(
        "POST",
        "/v1/scans",
        lambda response: _scan(response.json()),
        {"json": body | ({"name": name} if name else {})},
    )


def scan(name: str) -> Operation[Scan]:
    """Read one scan."""
    return Operation("GET", f"/v1/scans/{_segment(name)}", lambda response: _scan(response.json()))


def scans() -> Operation[list[Scan]]:
    """List the scans."""
    return Operation("GET", "/v1/scans", lambda response: [_scan(each) for each in response.json()["scans"]])


def findings(
    scan: str, states: str | Sequence[str], work: str, site: str, cursor: str | None
) -> Operation[JsonPage[Finding]]:
    """List findings of a scan."""
    params = {"state": list(listed(states)), "work": work, "site": site, "limit": PAGE, **_after(cursor)}
    path = f"/v1/scans/{_segment(scan)}/findings"
    return Operation("GET", path, _page("findings", _finding), {"params": params})


def review(finding: str, *, state: str, comment: str, reviewer: str) -> Operation[Finding]:
    """Review a finding."""
    body = {"state": state or None, "comment": comment, "reviewer": reviewer}
    path = f"/v1/findings/{_segment(finding)}"
    return Operation("PATCH", path, lambda response: _finding(response.json()), {"json": body})


def jobs(cursor: str | None) -> Operation[JsonPage[Job]]:
    """List jobs."""
    return Operation("GET", "/v1/jobs", _page("jobs", _job), {"params": {"limit": 100, **_after(cursor)}})


def job(id: str) -> Operation[Job]:
    """Read one job."""
    return Operation("GET", f"/v1/jobs/{_segment(id)}", lambda response: _job(response.json()))


def no_duplicates() -> NotSupported:
    """Why there are no duplicates over HTTP."""
    return NotSupported(
        "a server does not list duplicates: run `facsimile duplicates`, or facsimile.open(…).duplicates()"
    )


def _record(data: Mapping[str, Any]) -> Record:
    from facsimile.imaging.record import Record

    return Record.from_json(data)


def _matches(data: Mapping[str, Any]) -> list[Match[Record]]:
    from facsimile.results import match_from_json

    return [match_from_json(match) for match in data["matches"]]


def _scan(data: Mapping[str, Any]) -> Scan:
    from facsimile.results import Scan

    return Scan.from_json(data)


def _finding(data: Mapping[str, Any]) -> Finding:
    from facsimile.results import Finding

    return Finding.from_json(data)


def _job(data: Mapping[str, Any]) -> Job:
    from facsimile.results import Job

    return Job.from_json(data)


def _page(name: str, parse: Callable[[Mapping[str, Any]], T]) -> Callable[[httpx.Response], JsonPage[T]]:
    def parse_page(response: httpx.Response) -> JsonPage[T]:
        data = response.json()
        return JsonPage([parse(each) for each in data[name]], data["cursor"])

    return parse_page


def _options(params: SearchParams) -> dict[str, Any]:
    """The options of a search as fields of its request."""
    return {
        "limit": params.limit,
        "mode": params.mode,
        "collections": list(params.collections),
        "filter": {key: list(values) for key, values in params.records.terms.items()},
        "text": params.text,
        "orientations": list(params.orientations),
        "probes": params.probes,
        "verify": params.verify,
        "min_score": params.min_score,
    }


def _body(fields: Mapping[str, Any], image: Upload) -> dict[str, Any]:
    """JSON or, where the image is bytes, a form, which carries them as they are."""
    if "data" not in image:
        return {"json": {**fields, **image}}
    form = {name: _form_value(value) for name, value in fields.items()}
    return {"files": {"image": ("image", image["data"])}, "data": form}


def _as_json(image: Upload) -> dict[str, Any]:
    return {"image_base64": b64encode(image["data"]).decode()} if "data" in image else dict(image)


def _form_value(value: Any) -> Any:
    if isinstance(value, list) and not any(isinstance(each, dict) for each in value):
        return [str(each) for each in value]
    return value if isinstance(value, str) else json.dumps(value)


def _idempotent() -> dict[str, str]:
    return {"Idempotency-Key": secrets.token_hex(16)}


def _segment(name: str) -> str:
    return quote(name, safe="")


def _path(id: str) -> str:
    return f"/v1/images/{_segment(id)}"


def _within(collection: str | None) -> dict[str, Any]:
    return {"params": {"collection": collection} if collection else {}}


def _after(cursor: str | None) -> dict[str, str]:
    return {} if cursor is None else {"cursor": cursor}
