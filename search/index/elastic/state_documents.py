"""Entries of the state as Elasticsearch keeps them, and back.

They lie in `NAME@state-v1` behind the alias `NAME@state`. No index of records has an @ in its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from facsimile.imaging.record import Key
from facsimile.search.index.elastic.bulk import BulkOperation
from facsimile.search.index.elastic.documents import document_id
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.state.base import Entry, EntryFilter
from facsimile.search.index.state.validation import check_filter

#: version of the mapping below
LAYOUT = 1

#: bodies up to these bytes come with the first answer; larger ones are fetched when their number is known
SMALL_BODY = 16_000


def state_name(location: ElasticLocation) -> str:
    """The alias through which the state of an index is written and read."""
    return f"{location.name}@state"


def state_index(location: ElasticLocation) -> str:
    """The physical index behind it."""
    return f"{state_name(location)}-v{LAYOUT}"


def state_mappings() -> dict[str, Any]:
    """The mapping. Bodies are texts that Elasticsearch only keeps, so that each comes back as it was."""
    keyword, kept = {"type": "keyword"}, {"type": "object", "enabled": False}
    return {
        "dynamic": "strict",
        "_meta": {"facsimile_state": {"layout": LAYOUT}},
        "dynamic_templates": [{"numbers": {"path_match": "numbers.*", "mapping": {"type": "long"}}}],
        "properties": {
            "kind": keyword,
            "id": keyword,
            "terms": {"type": "flattened"},
            "numbers": {"type": "object", "dynamic": True},
            # the body is in `body` or, where it is large, in `large`; `bytes` tells
            "body": kept,
            "large": kept,
            "bytes": kept,
            # which call wrote it: see `ElasticState.put`
            "write": kept,
        },
    }


def writing_entry(entry: Entry, body: bytes, mark: str) -> BulkOperation:
    """Write an entry if what is stored is still of its version; `mark` names the call that does it."""
    action: dict[str, Any] = {"_id": document_id(Key(*entry.ref))}
    if entry.version is not None:
        action["if_seq_no"], action["if_primary_term"] = entry.version
    document = {
        "kind": entry.kind,
        "id": entry.id,
        "terms": dict(entry.terms),
        "numbers": dict(entry.numbers),
        "body" if len(body) <= SMALL_BODY else "large": body.decode(),
        "bytes": len(body),
        "write": mark,
    }
    name = "create" if entry.version is None else "index"
    return orjson.dumps({name: action}), orjson.dumps(document)


def version_of(found: Mapping[str, Any]) -> tuple[int, int]:
    """The version of a document: its sequence number and term."""
    return found["_seq_no"], found["_primary_term"]


def is_large(found: Mapping[str, Any]) -> bool:
    """Whether the body of a document lies in `large`."""
    return bool(found["_source"]["bytes"] > SMALL_BODY)


def entry_of(found: Mapping[str, Any]) -> Entry:
    """The entry of a document that came with its body."""
    source = found["_source"]
    return Entry(
        kind=source["kind"],
        id=source["id"],
        terms={name: tuple(values) for name, values in source["terms"].items()},
        numbers=source["numbers"],
        body=orjson.loads(source["large" if is_large(found) else "body"]),
        version=version_of(found),
    )


def query(where: EntryFilter, order: str = "") -> dict[str, Any]:
    """What an entry must meet, without scores; `order` is a number that it must have."""
    check_filter(where, *[order] * bool(order))
    clauses: list[dict[str, Any]] = [{"term": {"kind": where.kind}}]
    clauses += [{"terms": {f"terms.{name}": list(values)}} for name, values in where.terms.items()]
    for name, (least, below) in where.between.items():
        clauses.append({"range": {f"numbers.{name}": {"gte": least, "lt": below}}})
    if order:
        clauses.append({"exists": {"field": f"numbers.{order}"}})
    return {"bool": {"filter": clauses}}
