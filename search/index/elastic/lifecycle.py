"""The lifecycle of an index on Elasticsearch: create, find, rebuild beside itself, delete.

`NAME` is an alias of the physical index `NAME-vN`; a second alias names the signatures too (see
`mapping.sealed_name`).
"""

from __future__ import annotations

import re
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass

from facsimile.search.errors import IndexAlreadyExists, IndexMismatch, IndexNotFound
from facsimile.search.index.base import Progress, Signatures
from facsimile.search.index.elastic.client import ElasticClient
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.mapping import LAYOUT, made_by, mappings, sealed_name, settings
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.elastic.state_documents import state_index

#: seconds that a merge of all segments may take
LONGEST_MERGE = 24 * 3600


@dataclass(frozen=True, slots=True)
class Physical:
    """The physical index that a name stands for at present, and what made it."""

    name: str
    uuid: str
    layout: int
    signatures: Signatures
    aliases: tuple[str, ...]
    shards: int

    @property
    def version(self) -> int:
        return int(self.name.rpartition("-v")[2])


def find(client: ElasticClient, location: ElasticLocation) -> Physical:
    """The physical index behind the name. Raises IndexNotFound, or IndexMismatch where it is not ours."""
    try:
        found = client.indices.get(index=location.name)
    except IndexNotFound:
        raise IndexNotFound(f"there is no index {location}; `facsimile ingest PHOTOS` makes one") from None
    with client.reading():
        (physical, facts), *more = found.items()
        made = made_by(facts["mappings"])
        stored = facts["settings"]["index"]
        about = stored["uuid"], tuple(facts["aliases"]), int(stored["number_of_shards"])
    if more or made is None or not re.fullmatch(re.escape(location.name) + r"-v[0-9]+", physical):
        raise IndexMismatch(f"{location} is no index of Facsimile; choose another name")
    uuid, aliases, shards = about
    return Physical(physical, uuid, *made, aliases, shards)


def check(location: ElasticLocation, physical: Physical, signatures: Signatures | None) -> None:
    """Raise IndexMismatch where the index cannot be searched with these signatures; None skips the check."""
    if physical.layout != LAYOUT:
        raise IndexMismatch(
            f"{location} has layout {physical.layout}, this version reads {LAYOUT}; "
            "`facsimile index reindex` builds it anew for this version"
        )
    if signatures is not None and signatures != physical.signatures:
        raise IndexMismatch(
            f"{location} was made with {physical.signatures}, not with {signatures}: "
            "`facsimile index reindex --model MODEL` computes others"
        )


def create(
    client: ElasticClient, location: ElasticLocation, signatures: Signatures, options: ElasticOptions
) -> None:
    """Make an empty index. Raises IndexAlreadyExists where the name is taken."""
    if client.indices.exists(index=location.name):
        raise IndexAlreadyExists(f"there is already an index {location}")
    client.indices.create(
        index=f"{location.name}-v1",
        aliases={location.name: {}, sealed_name(location.name, signatures): {}},
        mappings=mappings(signatures, options),
        settings=settings(options),
        wait_for_active_shards=1,
    )


def merge(client: ElasticClient, physical: Physical, progress: Progress | None) -> tuple[int, int]:
    """Merge each shard into one segment; the answer is the number of segments before and after.

    The server goes on where this program ends early.
    """
    before = _segments(client, physical)
    left = max(before - physical.shards, 0)
    with ThreadPoolExecutor(max_workers=1) as pool:
        patient = client.options(request_timeout=LONGEST_MERGE, max_retries=0)
        patient.server = client.server
        merging = pool.submit(patient.indices.forcemerge, index=physical.name, max_num_segments=1)
        while not wait([merging], timeout=1).done:
            if progress:
                progress(min(max(before - _segments(client, physical), 0), left), left)
        merging.result()
    client.indices.refresh(index=physical.name)
    return before, _segments(client, physical)


def _segments(client: ElasticClient, physical: Physical) -> int:
    """The number of segments over the primary shards."""
    stats = client.indices.stats(index=physical.name, metric="segments")
    with client.reading():
        return int(stats["_all"]["primaries"]["segments"]["count"])


def destroy(client: ElasticClient, location: ElasticLocation) -> None:
    """Remove the index, its state, and whatever rebuilds have left beside it."""
    remove_versions(client, location)
    client.indices.delete(index=state_index(location), ignore_unavailable=True)


def remove_versions(client: ElasticClient, location: ElasticLocation, *, but: Collection[str] = ()) -> None:
    """Remove the physical indices of a name, all but these."""
    stored = client.indices.get(index=f"{location.name}-v*", expand_wildcards="open,closed").body
    with client.reading():
        ours = [
            name
            for name, facts in stored.items()
            if name not in but
            and made_by(facts["mappings"])
            and re.fullmatch(re.escape(location.name) + r"-v[0-9]+", name)
        ]
    if ours:
        client.indices.delete(index=",".join(ours), ignore_unavailable=True)
