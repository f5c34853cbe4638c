"""What an index looks like to Elasticsearch: mapping, settings, and the note of what made it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from facsimile.search.index.base import Signatures
from facsimile.search.index.elastic.options import ElasticOptions

#: version of the mapping below, and of what its fields mean; one more for every change that old documents do
#: not fit. Since 3, `pixels` covers the whole content of a file, and `gone` has the places that lost it.
#: Since 4, hashes are also kept as text in the source, thumbnails beside it, and vectors at half precision.
#: Since 5, there are `pages`
LAYOUT = 5

#: the layout since which a record holds all that this version describes: later ones only store it otherwise
COMPLETE = 3

#: dimensions that the one-bit quantisation of bbq needs at least
_SMALLEST_BBQ = 64

#: characters of a metadata value that filters see; Lucene's terms end at 32,766 bytes, path included
_LONGEST_VALUE = 4096


def mappings(signatures: Signatures, options: ElasticOptions) -> dict[str, Any]:
    """The mapping. Its `_meta` says which signatures the documents hold."""
    keyword, integer, binary = {"type": "keyword"}, {"type": "integer"}, {"type": "binary"}
    # looked up, never sorted or counted by
    found = keyword | {"doc_values": False}
    # flat: exact Hamming distance over those that pass the filter, which the bands keep few
    bits = {"type": "dense_vector", "element_type": "bit", "dims": 256, "index_options": {"type": "flat"}}
    properties: dict[str, Any] = {
        "collection": keyword,
        "id": keyword,
        "sha256": found,
        "pixels": found,
        "sources": found,
        "gone": found,
        "format": found,
        "tags": keyword | {"fields": {"words": {"type": "text"}}},
        "title": {"type": "text"},
        "metadata": {"type": "flattened", "ignore_above": _LONGEST_VALUE},
        "pages": {"type": "object", "enabled": False},
        "page_urls": found,
        "page_hosts": keyword,
        "width": integer,
        "height": integer,
        "size": {"type": "long"},
        "quality": {"type": "byte"},
        "added_at": {"type": "date"},
        "bits": bits,
        "bits_trimmed": bits,
        "bands": found,
        # nested, so that each panel is filtered by its own bands
        "panels": {"type": "nested", "properties": {"bits": bits, "bands": found}},
        # what a search brings back without loading vectors
        "hashes": binary,
        "panel_hashes": binary,
        # outside the source, which every hit of a search has to read
        "thumbnail": binary | {"store": True},
    }
    if signatures.dims:
        graph = options.vector_index if signatures.dims >= _SMALLEST_BBQ else "int8_hnsw"
        properties["vector"] = {
            "type": "dense_vector",
            "element_type": "bfloat16",
            "dims": signatures.dims,
            "similarity": "cosine",
            "index_options": {"type": graph},
        }
    made = {"layout": LAYOUT, "hash": signatures.hash, "model": signatures.model, "dims": signatures.dims}
    return {
        "dynamic": "strict",
        "_meta": {"facsimile": made},
        "_source": {"excludes": ["thumbnail", "bands"]},
        "properties": properties,
    }


def settings(options: ElasticOptions) -> dict[str, Any]:
    """The settings of a new index. A refresh interval that is set also applies while there are no
    searches."""
    fixed = {"number_of_shards": options.shards, "refresh_interval": options.refresh_interval}
    if options.replicas is None:
        return fixed | {"auto_expand_replicas": "0-1"}
    return fixed | {"number_of_replicas": options.replicas}


def made_by(mapping: Mapping[str, Any]) -> tuple[int, Signatures] | None:
    """Layout and signatures of a stored mapping; None where it is not one of ours."""
    made = mapping.get("_meta", {}).get("facsimile")
    if not made:
        return None
    return int(made["layout"]), Signatures(made["hash"], made["model"], int(made["dims"]))


def sealed_name(name: str, signatures: Signatures) -> str:
    """The alias that an open index works through.

    It names the signatures, so that the swap to an index with others cuts off every program that still
    computes the old ones, at once and without a look at the mapping in each request.
    """
    made = f"{LAYOUT}/{signatures.hash}/{signatures.model}/{signatures.dims}"
    return f"{name}-{hashlib.sha256(made.encode()).hexdigest()[:8]}"
