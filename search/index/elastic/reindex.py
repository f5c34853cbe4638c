"""Rebuilds an index beside itself, with the layout of this version, and puts it in its place."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from facsimile.imaging.record import ImageRecord, Key
from facsimile.search.errors import IndexUnavailable, InvalidRequest, StoreError
from facsimile.search.index.base import Progress, RecordTransform, Signatures
from facsimile.search.index.elastic import lifecycle as life
from facsimile.search.index.elastic.bulk import bulk, copying, deleting
from facsimile.search.index.elastic.client import ATTEMPTS, BACKOFF, ElasticClient
from facsimile.search.index.elastic.documents import document_id, record_of
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.mapping import mappings, sealed_name, settings
from facsimile.search.index.elastic.options import ElasticOptions

#: records per request of the copy, and where they get other signatures: what a kill costs at most
COPIED_AT_ONCE = 500
DESCRIBED_AT_ONCE = 128

#: how long the server keeps the view that is being copied between two requests: a network may have to see
#: all the pictures of one, and slow servers may have to send them
KEEP_VIEW = "2h"

#: what is read of each document, of this layout or an earlier one
_WHOLE: dict[str, Any] = {
    "source": {"excludes": ["bands", "panels.bands"], "exclude_vectors": False},
    "stored_fields": ["thumbnail"],
}

#: how often what was written meanwhile is copied before writes are blocked for the rest, unless it was little
ROUNDS = 4


def rebuild(
    client: ElasticClient,
    location: ElasticLocation,
    signatures: Signatures | None,
    options: ElasticOptions,
    *,
    transform: RecordTransform | None,
    progress: Progress | None,
    keep: bool,
) -> Signatures:
    """Copy every record into the next physical index and swap the alias; the answer has its signatures.

    Searches go on all the while. Writes go on too but for the end, when the old index takes none while what
    little changed last is copied: they raise IndexReadOnly, which is transient. Without `transform` records
    are copied as they are. `progress` receives how many of how many are copied. `keep` leaves the old
    physical index, blocked, where it was, until the next rebuild. After a crash, the next call opens the old
    index again for writes first, and continues what was begun if it was for the same signatures, layout and
    settings.
    """
    old = life.find(client, location)
    target = f"{location.name}-v{old.version + 1}"
    signatures = signatures or old.signatures
    if signatures != old.signatures and transform is None:
        raise InvalidRequest("other signatures need other vectors or hashes: give the means to compute them")
    life.remove_versions(client, location, but=(old.name, target))
    building = f"{location.name}-building"
    _begin(client, old, target, building, signatures, options, as_they_are=transform is None)
    copy = _Copy(client, old, building, transform, progress)
    copied_up_to: dict[int, int] = {}
    for _ in range(ROUNDS):
        reached = copy.checkpoints()
        number = copy.since(copied_up_to)
        copied_up_to = reached
        if number < COPIED_AT_ONCE:
            break
    client.indices.add_block(index=old.name, block="write")
    try:
        copy.since(copied_up_to)
        copy.forget_deleted(target)
        client.indices.put_settings(index=target, settings={"refresh_interval": options.refresh_interval})
        names = [location.name, sealed_name(location.name, signatures)]
        _swap(client, old, target, names, building)
    except BaseException:
        _unblock(client, old.name)
        raise
    if not keep:
        client.indices.delete(index=old.name)
    return signatures


def _begin(
    client: ElasticClient,
    old: life.Physical,
    target: str,
    building: str,
    signatures: Signatures,
    options: ElasticOptions,
    *,
    as_they_are: bool,
) -> None:
    """Make the target, or keep the one that was begun as the same kind of copy of the same index."""
    new_settings = settings(options)
    mapping = mappings(signatures, options)
    plan = hashlib.sha256(orjson.dumps([old.uuid, as_they_are, mapping, new_settings])).hexdigest()
    begun = client.indices.get(index=target, ignore_unavailable=True).body
    if begun:
        _unblock(client, old.name)
        if begun[target]["mappings"].get("_meta", {}).get("plan") == plan:
            return
        client.indices.delete(index=target)
    client.indices.create(
        index=target,
        aliases={building: {}},
        mappings=mapping | {"_meta": mapping["_meta"] | {"plan": plan}},
        settings=new_settings | {"refresh_interval": "-1"},
        wait_for_active_shards=1,
    )


def _unblock(client: ElasticClient, index: str) -> None:
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})


def _swap(
    client: ElasticClient, old: life.Physical, target: str, names: Sequence[str], building: str
) -> None:
    """Point the names to the target, in one step of the cluster."""
    gone = [{"remove": {"index": old.name, "alias": alias}} for alias in old.aliases]
    come = [{"add": {"index": target, "alias": name}} for name in names]
    done = {"remove": {"index": target, "alias": building}}
    client.indices.update_aliases(actions=[*gone, *come, done])


class _Copy:
    """Copies documents shard by shard, by the sequence numbers that every write of a shard has.

    The number of the write that made a document becomes the version of its copy, so that what is copied
    already shows as such.
    """

    def __init__(
        self,
        client: ElasticClient,
        old: life.Physical,
        building: str,
        transform: RecordTransform | None,
        progress: Progress | None,
    ) -> None:
        self._client = client
        self._old = old
        self._building = building
        self._transform = transform
        self._at_once = DESCRIBED_AT_ONCE if transform else COPIED_AT_ONCE
        self._progress = progress
        self._done = 0
        with client.reading():
            self._total = int(client.count(index=old.name)["count"])

    def checkpoints(self) -> dict[int, int]:
        """For each shard the sequence number up to which all writes are done, and will be seen."""
        stats = self._client.indices.stats(index=self._old.name, level="shards").body
        with self._client.reading():
            shards = stats["indices"][self._old.name]["shards"]
            return {
                int(number): min(
                    copy["seq_no"]["local_checkpoint"] for copy in copies if copy["routing"]["primary"]
                )
                for number, copies in shards.items()
            }

    def since(self, checkpoints: Mapping[int, int]) -> int:
        """Copy what was written after these sequence numbers; everything where a shard has none.

        The answer is how many documents were copied.
        """
        number = 0
        self._client.indices.refresh(index=self._old.name)
        for shard in range(self._old.shards):
            newer = {"range": {"_seq_no": {"gt": checkpoints.get(shard, -1)}}}
            for hits in self._view(self._old.name, newer, shard, _WHOLE):
                with self._client.reading():
                    copied = [(_version(hit), record_of(hit["_source"], hit.get("fields"))) for hit in hits]
                number += self._write(copied)
        return number

    def forget_deleted(self, target: str) -> None:
        """Remove from the target what the old index no longer holds; nothing is written there meanwhile."""
        self._client.indices.refresh(index=f"{self._old.name},{target}")
        if self._client.count(index=self._old.name) == self._client.count(index=target):
            return
        for hits in self._view(target, {"match_all": {}}, None, {"source": False}):
            ids = [hit["_id"] for hit in hits]
            answer = self._client.mget(index=self._old.name, ids=ids, source=False)
            with self._client.reading():
                stored = zip(ids, answer["docs"], strict=True)
                gone = [id for id, document in stored if not document["found"]]
            for done in bulk(self._client, self._building, [deleting(each) for each in gone]):
                if done.status >= 300 and done.status != 404:
                    raise StoreError(f"a record could not be removed, the old index stays: {done.reason}")
        self._client.indices.refresh(index=target)

    def _write(self, hits: Sequence[tuple[int, ImageRecord]]) -> int:
        """Copy the records whose version is not there yet; the answer is how many these were."""
        there = self._versions([record for _, record in hits])
        new = [(version, record) for version, record in hits if there.get(record.key) != version]
        records: Sequence[ImageRecord] = [record for _, record in new]
        if self._transform and records:
            records = self._transform(records)
        copies = [copying(record, version) for record, (version, _) in zip(records, new, strict=True)]
        for done in bulk(self._client, self._building, copies):
            if done.status >= 300:
                raise StoreError(f"a record could not be copied, the old index stays: {done.reason}")
        self._done += len(hits)
        if self._progress:
            self._progress(self._done, max(self._total, self._done))
        return len(new)

    def _versions(self, records: Sequence[ImageRecord]) -> dict[Key, int]:
        """The version of each copy that is there."""
        ids = [document_id(record.key) for record in records]
        answer = self._client.mget(index=self._building, ids=ids, source=False)
        with self._client.reading():
            return {
                record.key: found["_version"]
                for record, found in zip(records, answer["docs"], strict=True)
                if found.get("found")
            }

    def _view(
        self, index: str, query: Mapping[str, Any], shard: int | None, parts: Mapping[str, Any]
    ) -> Iterator[list[Mapping[str, Any]]]:
        """All documents that fit, of one moment, in runs.

        A view is lost with the node that keeps it. Then another one is read from its beginning, so that
        documents may come twice.
        """
        failures = 0
        while True:
            try:
                for hits in self._view_once(index, query, shard, parts):
                    failures = 0
                    yield hits
                return
            except IndexUnavailable:
                failures += 1
                if failures == ATTEMPTS:
                    raise
                time.sleep(BACKOFF.pause(failures))

    def _view_once(
        self, index: str, query: Mapping[str, Any], shard: int | None, parts: Mapping[str, Any]
    ) -> Iterator[list[Mapping[str, Any]]]:
        where = None if shard is None else f"_shards:{shard}"
        opened = self._client.open_point_in_time(index=index, keep_alive=KEEP_VIEW, preference=where)
        with self._client.reading():
            view = opened["id"]
        try:
            after: dict[str, Any] = {}
            while True:
                answer = self._client.search(
                    pit={"id": view, "keep_alive": KEEP_VIEW},
                    query=query,
                    size=self._at_once,
                    sort=["_shard_doc"],
                    seq_no_primary_term=True,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                    **parts,
                    **after,
                )
                with self._client.reading():
                    hits, view = answer["hits"]["hits"], answer["pit_id"]
                    after = {"search_after": hits[-1]["sort"]} if hits else {}
                if not hits:
                    return
                yield hits
        finally:
            self._client.close_view(view)


def _version(hit: Mapping[str, Any]) -> int:
    """The write that made a document, as a number that grows with each: a new primary begins a new term."""
    return int(hit["_primary_term"] << 40 | hit["_seq_no"])
