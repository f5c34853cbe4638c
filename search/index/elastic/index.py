"""The index on Elasticsearch."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, Self, TypeVar

import orjson

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import IndexReadOnly, IndexUnavailable, InvalidRequest
from facsimile.search.index.base import (
    Index,
    IndexInfo,
    Known,
    Progress,
    RecordTransform,
    Signatures,
    Status,
    Written,
)
from facsimile.search.index.elastic import lifecycle as life
from facsimile.search.index.elastic import queries as ask_for
from facsimile.search.index.elastic.bulk import Done, bulk, deleting, runs, writing
from facsimile.search.index.elastic.client import ATTEMPTS, BACKOFF, connect, fault, is_momentary
from facsimile.search.index.elastic.documents import KNOWN_FIELDS, document_id, known_of, record_of
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.mapping import sealed_name
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.elastic.reindex import rebuild
from facsimile.search.index.elastic.state import ElasticState
from facsimile.search.index.validation import check_texts
from facsimile.search.query import Filter, IndexQuery, ListingPage

#: documents fetched by id in one request, light and with thumbnails
KNOWN_AT_ONCE = 2000
RECORDS_AT_ONCE = 200

#: what brings thumbnail and vector of records fetched by id; their hashes need no vectors
FULL = {
    "stored_fields": "thumbnail,_source",
    "_source_exclude_vectors": "false",
    "_source_excludes": "bits,bits_trimmed,panels",
}

#: hits that the searches of one request may bring together
HITS_AT_ONCE = 100_000

#: digests in one request
DIGESTS_AT_ONCE = 1000

#: collections per page of their listing
COLLECTIONS_AT_ONCE = 1000

T = TypeVar("T")


class ElasticIndex(Index):
    """An index behind an alias of Elasticsearch 9.3 or newer, for any number of programs and machines.

    Made by `create` or `open`. Usable from several threads. Reads that fail in part fail as a whole: an
    answer that silently lacks a shard would be worse than none.
    """

    def __init__(self, location: ElasticLocation, signatures: Signatures, options: ElasticOptions) -> None:
        self.location = str(location)
        self.signatures = signatures
        self._place = location
        self._alias = sealed_name(location.name, signatures)
        self._client = connect(location, options)
        self.state: ElasticState = ElasticState(self._client, location, options)

    # -- life ------------------------------------------------------------------------------------------

    @classmethod
    def create(cls, location: str, signatures: Signatures, options: ElasticOptions | None = None) -> Self:
        """Make an empty index at `http(s)://HOST:PORT/NAME`; raises IndexAlreadyExists where there is one."""
        options = options or ElasticOptions()
        index = cls(ElasticLocation.parse(location), signatures, options)
        life.create(index._client, index._place, signatures, options)
        return index

    @classmethod
    def open(
        cls, location: str, signatures: Signatures | None = None, options: ElasticOptions | None = None
    ) -> Self:
        """The index at this address; raises IndexMismatch where it was made with other signatures.

        None takes the signatures as they are stored.
        """
        options = options or ElasticOptions()
        place = ElasticLocation.parse(location)
        with closing(connect(place, options)) as client:
            physical = life.find(client, place)
        life.check(place, physical, signatures)
        return cls(place, physical.signatures, options)

    @classmethod
    def stored(cls, location: str, options: ElasticOptions | None = None) -> tuple[int, Signatures]:
        """Layout and signatures of the index at this address."""
        place = ElasticLocation.parse(location)
        with closing(connect(place, options or ElasticOptions())) as client:
            physical = life.find(client, place)
        return physical.layout, physical.signatures

    @classmethod
    def reindex(
        cls,
        location: str,
        signatures: Signatures | None = None,
        options: ElasticOptions | None = None,
        *,
        transform: RecordTransform | None = None,
        progress: Progress | None = None,
        keep: bool = False,
    ) -> Self:
        """Rebuild the index beside itself and put it in its place; see `reindex.rebuild`."""
        options = options or ElasticOptions()
        place = ElasticLocation.parse(location)
        with closing(connect(place, options)) as client:
            made = rebuild(
                client, place, signatures, options, transform=transform, progress=progress, keep=keep
            )
        return cls(place, made, options)

    def destroy(self) -> None:
        """Remove the index with all its records from the server."""
        life.destroy(self._client, self._place)
        self.close()

    def refresh(self) -> None:
        self._client.indices.refresh(index=self._alias)

    def optimize(self, progress: Progress | None = None) -> tuple[int, int]:
        physical = life.find(self._client, self._place)
        return life.merge(self._client, physical, progress)

    def info(self) -> IndexInfo:
        physical = life.find(self._client, self._place)
        counts = self.collections()
        with self._client.reading():
            stats = self._client.indices.stats(index=physical.name, metric="store")
            size = int(stats["_all"]["primaries"]["store"]["size_in_bytes"])
            health = self._client.cluster.health(index=physical.name)["status"]
        return IndexInfo(
            location=self.location,
            kind="elasticsearch",
            physical=physical.name,
            layout=physical.layout,
            signatures=physical.signatures,
            count=sum(counts.values()),
            bytes=size,
            collections=counts,
            healthy=health != "red",
            note="" if health == "green" else f"Elasticsearch reports its health as {health}",
        )

    def close(self) -> None:
        self._client.close()

    # -- writing ---------------------------------------------------------------------------------------

    def known(self, keys: Iterable[Key]) -> dict[Key, Known]:
        stored = self._by_id(keys, KNOWN_AT_ONCE, {"_source_includes": ",".join(KNOWN_FIELDS)})
        with self._client.reading():
            return {key: known_of(found) for key, found in stored}

    def _write(self, writes: Sequence[tuple[ImageRecord, Known | None]]) -> list[Written | None]:
        done = bulk(self._client, self._alias, [writing(*write) for write in writes])
        if all(each.blocked for each in done):
            raise IndexReadOnly(f"{self.location} takes no writes now: {done[0].reason}")
        return [_written(each, before) for each, (_, before) in zip(done, writes, strict=True)]

    def delete(self, keys: Iterable[Key]) -> int:
        done = bulk(self._client, self._alias, [deleting(document_id(key)) for key in dict.fromkeys(keys)])
        for each in done:
            if each.blocked:
                raise IndexReadOnly(f"{self.location} deletes nothing now: {each.reason}")
            if each.status not in (200, 404):
                raise IndexUnavailable(f"{self.location} could not delete all: {each.reason}")
        return sum(each.status == 200 for each in done)

    # -- reading ---------------------------------------------------------------------------------------

    def get(self, keys: Iterable[Key], *, full: bool = True) -> dict[Key, ImageRecord]:
        stored = self._by_id(keys, RECORDS_AT_ONCE, FULL if full else {})
        with self._client.reading():
            return {key: record_of(found["_source"], found.get("fields")) for key, found in stored}

    def keys_of(self, id: str, collections: Sequence[str] = ()) -> list[Key]:
        filter = Filter(tuple(collections), {"id": (id,)})
        return [record.key for page in self._pages(filter) for record in page.records]

    def count(self, filter: Filter | None = None) -> int:
        answer = self._client.count(index=self._alias, query=ask_for.query(filter))
        with self._client.reading():
            return int(answer["count"])

    def collections(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        listing: dict[str, Any] = {
            "size": COLLECTIONS_AT_ONCE,
            "sources": [{"collection": {"terms": {"field": "collection"}}}],
        }
        while True:
            # a composite listing has no limit on how many there are, unlike a terms aggregation
            answer = self._search(size=0, aggregations={"all": {"composite": listing}})
            with self._client.reading():
                found = answer["aggregations"]["all"]
                counts |= {each["key"]["collection"]: int(each["doc_count"]) for each in found["buckets"]}
                if "after_key" not in found:
                    return counts
                listing["after"] = found["after_key"]

    def ask(self, questions: Sequence[IndexQuery]) -> list[list[ImageRecord]]:
        found: list[dict[Key, ImageRecord]] = [{} for _ in questions]
        for question in questions:
            self._check_vector(question)
            check_texts(question.digests)
        asked = [
            (position, body)
            for position, question in enumerate(questions)
            for body in ask_for.searches(question)
        ]
        for some in runs(asked, lambda each: int(each[1]["size"]), HITS_AT_ONCE):
            answers = self._searches([body for _, body in some])
            for (position, body), answer in zip(some, answers, strict=True):
                records = self._records(answer)
                if "query" in body and len(records) == ask_for.MOST_SAME:
                    question = questions[position]
                    records = list(self._same(question.digests, question.filter, vector=True))
                for record in records:
                    found[position][record.key] = record
        return [list(each.values()) for each in found]

    def _check_vector(self, question: IndexQuery) -> None:
        if question.vector is not None and question.vector.shape != (self.signatures.dims,):
            raise InvalidRequest(
                f"the vector of the question has {question.vector.size} dimensions, "
                f"those of this index have {self.signatures.dims}"
            )

    def ask_words(self, words: str, limit: int, filter: Filter) -> list[ImageRecord]:
        check_texts([words])
        if not words.split() or limit <= 0:
            return []
        answer = self._search(
            query=ask_for.words(words, filter),
            size=min(limit, ask_for.MOST_HITS),
            track_total_hits=False,
        )
        return self._records(answer)

    def ask_bytes(self, digests: Sequence[str], filter: Filter) -> dict[str, list[ImageRecord]]:
        check_texts(digests)
        found: dict[str, list[ImageRecord]] = {digest: [] for digest in digests}
        for some in _portions(list(found), DIGESTS_AT_ONCE):
            for record in self._same(some, filter):
                for digest in {record.sha256, record.pixels} & found.keys():
                    found[digest].append(record)
        return found

    def _same(self, digests: Sequence[str], filter: Filter, *, vector: bool = False) -> Iterator[ImageRecord]:
        """The records that have one of these SHA-256, however many there are."""
        cursor: str | None = None
        while True:
            query = ask_for.query(filter, ask_for.having(digests))
            page = self._page(query, cursor, ask_for.MOST_HITS, vector=vector)
            yield from page.records
            cursor = page.cursor
            if cursor is None:
                return

    def page(self, filter: Filter, *, cursor: str | None, limit: int, full: bool = False) -> ListingPage:
        return self._page(ask_for.query(filter), cursor, limit, thumbnail=full, vector=full)

    # -- requests --------------------------------------------------------------------------------------

    def _page(self, query: Mapping[str, Any], cursor: str | None, limit: int, **parts: bool) -> ListingPage:
        size = max(1, min(limit, ask_for.MOST_HITS))
        after = {} if cursor is None else {"search_after": list(ask_for.key_of(cursor))}
        answer = self._search(
            query=query,
            size=size,
            sort=["collection", "id"],
            track_total_hits=False,
            **ask_for.parts(**parts),
            **after,
        )
        records = self._records(answer)
        return ListingPage(records, ask_for.cursor_of(records[-1].key) if len(records) == size else None)

    def _search(self, **body: Any) -> Mapping[str, Any]:
        answer = self._client.search(index=self._alias, allow_partial_search_results=False, **body)
        return answer.body  # type: ignore[no-any-return]

    def _searches(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The answers to several searches. One that a shard could not answer is sent again, to another copy,
        as the client does with whole requests."""
        waiting = dict(enumerate(bodies))
        answers: dict[int, Mapping[str, Any]] = {}
        for attempt in range(1, ATTEMPTS + 1):
            answers |= zip(waiting, self._searches_once(list(waiting.values())), strict=True)
            waiting = {at: bodies[at] for at in waiting if _is_momentary(answers[at])}
            if not waiting:
                break
            if attempt < ATTEMPTS:
                time.sleep(BACKOFF.pause(attempt))
        for answer in answers.values():
            if "error" in answer:
                raise fault(answer["status"], answer["error"], self._client.server)
        return [answers[at] for at in range(len(bodies))]

    def _searches_once(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        header = {"index": self._alias, "allow_partial_search_results": False}
        # the client would encode lines by the slower json of the standard library
        lines: list[Any] = [orjson.dumps(line) for body in bodies for line in (header, body)]
        answer = self._client.msearch(searches=lines)
        with self._client.reading():
            return [each for _, each in zip(bodies, answer["responses"], strict=True)]

    def _records(self, answer: Mapping[str, Any]) -> list[ImageRecord]:
        with self._client.reading():
            return [record_of(hit["_source"], hit.get("fields")) for hit in answer["hits"]["hits"]]

    def _by_id(
        self, keys: Iterable[Key], at_once: int, parameters: Mapping[str, str]
    ) -> list[tuple[Key, Mapping[str, Any]]]:
        """What is stored under the keys as of now. The client's own `mget` cannot ask for vectors."""
        stored: list[tuple[Key, Mapping[str, Any]]] = []
        for some in _portions(list(dict.fromkeys(keys)), at_once):
            answer = self._client.perform_request(
                "POST",
                f"/{self._alias}/_mget",
                params=parameters,
                headers={"accept": "application/json", "content-type": "application/json"},
                body={"ids": [document_id(key) for key in some]},
            )
            with self._client.reading():
                for key, found in zip(some, answer["docs"], strict=True):
                    if "error" in found:
                        raise fault(503, found["error"], self._client.server)
                    if found["found"]:
                        stored.append((key, found))
        return stored


def _is_momentary(answer: Mapping[str, Any]) -> bool:
    return "error" in answer and is_momentary(answer["status"], answer["error"])


def _written(done: Done, before: Known | None) -> Written | None:
    if done.status == 409:
        return None
    if done.status < 300:
        return Written(Status.ADDED if before is None else Status.UPDATED)
    if done.blocked:
        return Written.failed(IndexReadOnly(f"the index takes no writes now: {done.reason}"))
    if done.busy:
        return Written.failed(IndexUnavailable(f"the server stayed too busy: {done.reason}"))
    kind = IndexUnavailable if done.status >= 500 else InvalidRequest
    return Written.failed(kind(f"the index does not take this record: {done.reason}"))


def _portions(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]
