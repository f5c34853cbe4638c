"""Questions to Elasticsearch as request bodies: filters, nearest neighbours, words, places in a listing."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from facsimile.imaging.record import Key
from facsimile.search.errors import InvalidRequest
from facsimile.search.index.elastic.documents import packed
from facsimile.search.index.validation import check_texts
from facsimile.search.query import FIELDS, Filter, IndexQuery

#: most hits of one search (`index.max_result_window`), and most neighbours of one clause
MOST_HITS = 10_000

#: values that one filter may hold (`index.max_terms_count`)
MOST_VALUES = 65_536

#: words of a text question that count; a boolean query takes some thousand clauses at least
MOST_WORDS = 64

#: candidates per shard that the graph of vectors looks at, at least; 200 of 256 dimensions found all copies
#: where 50 found 0.997 (bbq_hnsw, half a million records)
CANDIDATES = 200

#: nearest-neighbour clauses in one search
MOST_CLAUSES = 32

#: hits with the same bytes or pixels that one search brings; where there are more, they are paged through
MOST_SAME = 100


def parts(*, thumbnail: bool = False, vector: bool = False) -> dict[str, Any]:
    """What a search brings back of each record beside its source. A vector comes as base64: a third of the
    bytes of numbers, and read faster."""
    wanted: dict[str, Any] = {}
    if thumbnail:
        wanted["stored_fields"] = ["_source", "thumbnail"]
    if vector:
        wanted["docvalue_fields"] = [{"field": "vector", "format": "binary"}]
    return wanted


def conditions(filter: Filter) -> list[dict[str, Any]]:
    """The filter as clauses that must all hold."""
    check_texts([*filter.collections, *filter.terms])
    clauses: list[dict[str, Any]] = []
    if filter.collections:
        clauses.append({"terms": {"collection": list(filter.collections)}})
    for key, values in filter.terms.items():
        if len(values) > MOST_VALUES:
            raise InvalidRequest(
                f"the filter on {key} holds {len(values)} values; at most {MOST_VALUES} are taken"
            )
        check_texts(values)
        clauses.append({"terms": {_field(key): list(values)}})
    if filter.under:
        begins = [{"prefix": {field: filter.under}} for field in ("sources", "gone")]
        clauses.append({"bool": {"should": begins, "minimum_should_match": 1}})
    if filter.id_prefix:
        check_texts([filter.id_prefix])
        clauses.append({"prefix": {"id": filter.id_prefix}})
    return clauses


#: fields of a document that have another name in a filter
_FIELD_NAMES = {"source": "sources", "page": "page_urls", "site": "page_hosts"}


def _field(key: str) -> str:
    if key in _FIELD_NAMES:
        return _FIELD_NAMES[key]
    return key if key in FIELDS else "metadata." + key.removeprefix("metadata.")


def query(filter: Filter | None, *more: dict[str, Any]) -> dict[str, Any]:
    """A query without scores that the filter and the further clauses let through."""
    return {"bool": {"filter": [*conditions(filter or Filter()), *more]}}


def searches(question: IndexQuery) -> Iterator[dict[str, Any]]:
    """The searches that bring the candidates of a question: by hash, by vector and by digest, in one request.

    Each is a search of its own, which the server runs side by side. By hash there are several where a
    question asks for very many: Elasticsearch adds up the scores of a hit that several clauses bring, so none
    may be cut off by `size`.
    """
    wanted = parts(vector=question.vector is not None) | {"track_total_hits": False}
    clauses = list(_hash_clauses(question))
    while clauses:
        count = max(1, min(MOST_CLAUSES, MOST_HITS // max(clause["k"] for clause in clauses)))
        together, clauses = clauses[:count], clauses[count:]
        yield {"knn": together, "size": min(MOST_HITS, sum(clause["k"] for clause in together)), **wanted}
    for clause in _vector_clauses(question):
        yield {"knn": [clause], "size": clause["k"], **wanted}
    if question.digests:
        yield {"query": query(question.filter, having(question.digests)), "size": MOST_SAME, **wanted}


def _hash_clauses(question: IndexQuery) -> Iterator[dict[str, Any]]:
    wanted = min(question.limit, MOST_HITS)
    if wanted <= 0:
        return
    allowed = conditions(question.filter)
    for variant in question.variants:
        wholes = [("bits", "bands"), ("bits_trimmed", "bands")] * variant.wholes
        for name, bands in wholes + [("panels.bits", "panels.bands")] * variant.panels:
            yield {
                "field": name,
                "query_vector": variant.bits.tobytes().hex(),
                "k": wanted,
                "num_candidates": wanted,
                "similarity": question.radius,
                "filter": [{"terms": {bands: list(variant.terms)}}, *allowed],
            }


def _vector_clauses(question: IndexQuery) -> Iterator[dict[str, Any]]:
    wanted = min(question.nearest, MOST_HITS)
    if question.vector is None or wanted <= 0:
        return
    yield {
        "field": "vector",
        "query_vector": packed(question.vector),
        "k": wanted,
        "num_candidates": min(MOST_HITS, max(CANDIDATES, 2 * wanted)),
        "filter": conditions(question.filter),
    }


def words(text: str, filter: Filter) -> dict[str, Any]:
    """Any of the words in title or tags; nothing in the text is syntax."""
    some = " ".join(text.split()[:MOST_WORDS])
    matching = {"multi_match": {"query": some, "type": "most_fields", "fields": ["title^2", "tags.words"]}}
    return {"bool": {"must": matching, "filter": conditions(filter)}}


def having(digests: Sequence[str]) -> dict[str, Any]:
    """The bytes or the pixels have one of these SHA-256."""
    either = [{"terms": {name: list(digests)}} for name in ("sha256", "pixels")]
    return {"bool": {"should": either}}


def cursor_of(key: Key) -> str:
    """The place after this key in a listing, as opaque text."""
    return base64.urlsafe_b64encode(orjson.dumps(list(key))).decode()


def key_of(cursor: str) -> Key:
    """The key of a cursor; raises InvalidRequest on any other text."""
    try:
        collection, id = orjson.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"{cursor[:80]!r} is not a cursor of a listing") from error
    return Key(str(collection), str(id))
