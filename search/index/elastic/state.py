"""The state of an index on Elasticsearch: a physical index of its own, so that no reindex touches it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

from facsimile.imaging.record import Key
from facsimile.search.errors import IndexAlreadyExists, IndexNotFound
from facsimile.search.index.elastic.bulk import BulkOperation, Done, bulk, deleting, runs
from facsimile.search.index.elastic.client import MISSING, ElasticClient, fault
from facsimile.search.index.elastic.documents import document_id
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.mapping import settings
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.elastic.state_documents import (
    entry_of,
    is_large,
    query,
    state_index,
    state_mappings,
    state_name,
    version_of,
    writing_entry,
)
from facsimile.search.index.state.base import PAGE, Entry, EntryFilter, Listing, Ref, State
from facsimile.search.index.state.validation import (
    MOST_ENTRIES,
    MOST_VALUES,
    PAGE_BYTES,
    Place,
    bodies_of,
    check_filter,
    cursor_of,
    distinct,
    place_of,
)
from facsimile.search.retry import Backoff

#: entries fetched by id in one request
REFS_AT_ONCE = 500

#: how a server answers for an index whose shard it is still starting, and how often it is asked again
STARTING = "no_shard_available_action_exception"
STARTING_ATTEMPTS = 6
STARTING_BACKOFF = Backoff(first=0.1, jitter=(1.0, 1.0))

#: what a first answer leaves out
_LARGE = ["large"]


class ElasticState(State):
    """Entries in a physical index of one shard, made by the first write.

    Bodies go and come in requests of bounded size, one entry at least. `sums` are exact up to 2**53.
    """

    def __init__(self, client: ElasticClient, location: ElasticLocation, options: ElasticOptions) -> None:
        self._client = client
        self._location = location
        self._options = options
        self._alias = state_name(location)

    # -- writing ---------------------------------------------------------------------------------------

    def put(self, entries: Sequence[Entry]) -> list[Entry | None]:
        """See `State.put`.

        Where the answer to a request was lost and the client sent it again, the entries of the first
        attempt are in the way of the second. They carry the mark of this call, and so count as written.
        """
        mark = uuid.uuid4().hex
        operations = [
            writing_entry(entry, body, mark) for entry, body in zip(entries, bodies_of(entries), strict=True)
        ]
        done = self._bulk(operations) if operations else []
        conflicts = [entry.ref for entry, each in zip(entries, done, strict=True) if each.status == 409]
        stored = self._stored(conflicts, {"source_includes": ["write"]})
        with self._client.reading():
            ours = {
                ref: version_of(found) for ref, found in stored.items() if found["_source"]["write"] == mark
            }
        written: list[Entry | None] = []
        for entry, each in zip(entries, done, strict=True):
            version = ours.get(entry.ref) if each.status == 409 else each.version
            if each.status >= 300 and each.status != 409:
                raise fault(each.status, {"type": each.kind, "reason": each.reason}, self._client.server)
            written.append(None if version is None else entry.replaced(version=version))
        return written

    def _bulk(self, operations: Sequence[BulkOperation]) -> list[Done]:
        try:
            return bulk(self._client, self._alias, operations)
        except IndexNotFound:
            self._create()
            return bulk(self._client, self._alias, operations)

    def _create(self) -> None:
        """Make the index of the state. Raises IndexNotFound where there is none of records."""
        if not self._client.indices.exists(index=self._location.name):
            raise IndexNotFound(f"there is no index {self._location}; `facsimile ingest PHOTOS` makes one")
        with suppress(IndexAlreadyExists):  # another process was quicker
            self._client.indices.create(
                index=state_index(self._location),
                aliases={self._alias: {}},
                mappings=state_mappings(),
                # one shard: so counts of terms are exact
                settings=settings(self._options) | {"number_of_shards": 1},
                wait_for_active_shards=1,
            )

    def delete(self, refs: Iterable[Ref]) -> None:
        operations = [deleting(document_id(Key(*ref))) for ref in distinct(refs)]
        with suppress(IndexNotFound):
            for each in bulk(self._client, self._alias, operations):
                if each.status not in (200, 404):
                    raise fault(each.status, {"type": each.kind, "reason": each.reason}, self._client.server)

    # -- reading ---------------------------------------------------------------------------------------

    def get(self, refs: Iterable[Ref]) -> dict[Ref, Entry]:
        found = self._stored(distinct(refs), {"source_excludes": _LARGE})
        whole: dict[Ref, Mapping[str, Any]] = {}
        with self._client.reading():
            large = [ref for ref, each in found.items() if is_large(each)]
            for some in runs(large, lambda ref: int(found[ref]["_source"]["bytes"]), PAGE_BYTES):
                whole |= self._stored(some, {})
            return {
                ref: entry_of(whole.get(ref, each))
                for ref, each in found.items()
                if ref in whole or not is_large(each)  # one may be gone meanwhile
            }

    def _stored(self, refs: Sequence[Ref], parameters: Mapping[str, Any]) -> dict[Ref, Mapping[str, Any]]:
        """What is stored as of now."""
        stored: dict[Ref, Mapping[str, Any]] = {}
        for start in range(0, len(refs), REFS_AT_ONCE):
            some = refs[start : start + REFS_AT_ONCE]
            for attempt in range(1, STARTING_ATTEMPTS + 1):
                answer = self._client.mget(
                    index=self._alias, ids=[document_id(Key(*ref)) for ref in some], **parameters
                )
                with self._client.reading():
                    if not any(each.get("error", {}).get("type") == STARTING for each in answer["docs"]):
                        break
                time.sleep(STARTING_BACKOFF.pause(attempt))  # another process has just made the index
            with self._client.reading():
                for ref, found in zip(some, answer["docs"], strict=True):
                    if "error" in found:
                        if found["error"]["type"] == MISSING:  # nothing was ever written
                            return {}
                        raise fault(503, found["error"], self._client.server)
                    if found["found"]:
                        stored[ref] = found
        return stored

    def find(
        self,
        where: EntryFilter,
        *,
        order: str = "",
        descending: bool = False,
        limit: int = PAGE,
        cursor: str | None = None,
    ) -> Listing:
        asked = query(where, order)
        size = max(1, min(limit, MOST_ENTRIES))
        direction = "desc" if descending else "asc"
        sort: list[Any] = [{"id": direction}]
        if order:
            sort.insert(0, {f"numbers.{order}": {"order": direction, "unmapped_type": "long"}})
        after: dict[str, Any] = {}
        if cursor is not None:
            place = place_of(where, order, descending, cursor)
            after = {"search_after": list(place) if order else [place.id]}
        hits = self._hits(asked, size=size + 1, sort=sort, source={"excludes": _LARGE}, **after)
        if not hits:
            return Listing([], None)
        with self._client.reading():
            page = next(runs(hits[:size], lambda hit: int(hit["_source"]["bytes"]), PAGE_BYTES))
            more = None
            if len(page) < len(hits):
                last = page[-1]["_source"]
                number = last["numbers"][order] if order else 0
                more = cursor_of(where, order, descending, Place(number, last["id"]))
            return Listing([entry_of(hit) for hit in self._whole(asked, page)], more)

    def _whole(
        self, asked: Mapping[str, Any], hits: Sequence[Mapping[str, Any]]
    ) -> Sequence[Mapping[str, Any]]:
        """The hits with their large bodies, without those that no longer answer the query."""
        large = [hit["_id"] for hit in hits if is_large(hit)]
        if not large:
            return hits
        again = {"bool": {"filter": [asked, {"ids": {"values": large}}]}}
        whole = {hit["_id"]: hit for hit in self._hits(again, size=len(large))}
        return [whole.get(hit["_id"], hit) for hit in hits if hit["_id"] in whole or not is_large(hit)]

    def kinds(self) -> list[str]:
        counting = {"terms": {"field": "kind", "size": MOST_VALUES}}
        found = self._aggregated({"match_all": {}}, [counting])
        with self._client.reading():
            return sorted(bucket["key"] for each in found for bucket in each["buckets"])

    def count(self, where: EntryFilter) -> int:
        answer = self._client.count(index=self._alias, query=query(where), ignore_unavailable=True)
        with self._client.reading():
            return int(answer["count"])

    def counts(self, where: EntryFilter, by: str) -> dict[str, int]:
        check_filter(where, by)
        counting = {"terms": {"field": f"terms.{by}", "size": MOST_VALUES}}
        found = self._aggregated(query(where), [counting])
        with self._client.reading():
            return {bucket["key"]: int(bucket["doc_count"]) for each in found for bucket in each["buckets"]}

    def sums(self, where: EntryFilter, names: Sequence[str]) -> dict[str, int]:
        check_filter(where, *names)
        found = self._aggregated(query(where), [{"sum": {"field": f"numbers.{name}"}} for name in names])
        with self._client.reading():
            return dict.fromkeys(names, 0) | {
                name: int(each["value"]) for name, each in zip(names, found, strict=False)
            }

    def refresh(self) -> None:
        self._client.indices.refresh(index=self._alias, ignore_unavailable=True)

    def _hits(self, asked: Mapping[str, Any], **body: Any) -> list[Mapping[str, Any]]:
        answer = self._client.search(
            index=self._alias,
            query=asked,
            seq_no_primary_term=True,
            track_total_hits=False,
            allow_partial_search_results=False,
            ignore_unavailable=True,
            **body,
        )
        with self._client.reading():
            hits: list[Mapping[str, Any]] = answer["hits"]["hits"]
            return hits

    def _aggregated(
        self, asked: Mapping[str, Any], aggregations: Sequence[Mapping[str, Any]]
    ) -> list[Mapping[str, Any]]:
        """The answers to aggregations, in their order; none where nothing was ever written."""
        answer = self._client.search(
            index=self._alias,
            query=asked,
            size=0,
            aggregations={str(number): each for number, each in enumerate(aggregations)},
            allow_partial_search_results=False,
            ignore_unavailable=True,
        )
        with self._client.reading():
            if answer["_shards"]["total"] == 0:
                return []  # nothing was ever written
            return [answer["aggregations"][str(number)] for number in range(len(aggregations))]
