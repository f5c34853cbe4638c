"""Reads the documents of an index that image-match (or dsys/match) made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from facsimile.search.errors import IndexNotFound, InvalidRequest
from facsimile.search.index.elastic.client import connect
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.options import ElasticOptions

#: how long Elasticsearch keeps a view of the index between two pages
KEEP_VIEW = "5m"

#: documents of a page
PAGE = 1000

#: signature and words; they are computed anew from the pictures
_EXCLUDED = ["*.signature", "*.simple_word_*", "signature", "simple_word_*"]


@dataclass(frozen=True, slots=True)
class Document:
    """What image-match knows of an image: its path or URL, and any JSON value."""

    path: str
    metadata: Any


def documents(address: str, options: ElasticOptions | None = None) -> Iterator[Document]:
    """All documents of an index of image-match, as of one moment.

    Raises InvalidRequest where it holds something else, and StoreError.
    """
    location = ElasticLocation.parse(address)
    client = connect(location, options or ElasticOptions())
    try:
        try:
            view = client.open_point_in_time(index=location.name, keep_alive=KEEP_VIEW)["id"]
        except IndexNotFound:  # its own words are about our indices
            raise IndexNotFound(f"there is no index {location.name} on {location.server}") from None
        after: dict[str, Any] = {}
        while True:
            answer = client.search(
                pit={"id": view, "keep_alive": KEEP_VIEW},
                size=PAGE,
                sort=["_shard_doc"],
                source={"excludes": _EXCLUDED},
                track_total_hits=False,
                allow_partial_search_results=False,
                **after,
            )
            with client.reading():
                hits, view = answer["hits"]["hits"], answer["pit_id"]
            if not hits:
                client.close_view(view)
                return
            after = {"search_after": hits[-1]["sort"]}
            yield from (_document(hit, address) for hit in hits)
    finally:
        client.close()


def _document(hit: Mapping[str, Any], address: str) -> Document:
    """A document; its fields are below one whose name the user of image-match chose (`image`)."""
    content = hit.get("_source") or {}
    for fields in (*content.values(), content):
        if isinstance(fields, Mapping):
            path = fields.get("url") or fields.get("path")
            if isinstance(path, str) and path:
                return Document(path, fields.get("metadata"))
    raise InvalidRequest(f"{address} is no index of image-match: the document {hit.get('_id')} has no path")
