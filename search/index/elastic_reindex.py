"""Build an index anew beside itself, with the layout of this version, and put it in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from imaging.record import ImageRecord
from search.errors import InvalidRequest, StoreError
from search.index import elastic_life as life
from search.index.base import Signatures
from search.index.elastic_bulk import bulk, copying
from search.index.elastic_client import Client, ElasticOptions
from search.index.elastic_documents import record_of
from search.index.elastic_location import ElasticLocation
from search.index.elastic_mapping import mappings, sealed_name, settings
from search.index.elastic_questions import source

#: records per request of the copy
COPIED_AT_ONCE = 500

#: how long the server keeps the view that is being copied between two requests
KEEP_VIEW = "10m"

Transform = Callable[[Sequence[ImageRecord]], Sequence[ImageRecord]]
Progress = Callable[[int, int], None]


def rebuild(
    client: Client,
    location: ElasticLocation,
    signatures: Signatures | None,
    options: ElasticOptions,
    *,
    transform: Transform | None,
    progress: Progress | None,
    keep: bool,
) -> Signatures:
    """Copy every record into the next physical index and swap the alias; the answer has its signatures.

    Searches go on all the while. Writes go on too but for the end, when the old index takes none while what
    changed since the copy began is copied: they raise IndexReadOnly, which is transient. `transform` may
    change anything about records but their keys, as the signatures given here demand; without it they are
    copied as they are. `progress` hears how many of how many are copied. `keep` leaves the old physical
    index, blocked, where it was. After a crash, the next call begins anew and opens the old index again for
    writes first.
    """
    old = life.find(client, location)
    target = f"{location.name}-v{old.version + 1}"
    signatures = signatures or old.signatures
    if signatures != old.signatures and transform is None:
        raise InvalidRequest("other signatures need other vectors or hashes: give the means to compute them")
    if client.indices.exists(index=target):
        client.indices.delete(index=target)
        _unblock(client, old.name)
    building = f"{location.name}-building"
    client.indices.create(
        index=target,
        aliases={building: {}},
        mappings=mappings(signatures, options),
        settings=settings(options) | {"refresh_interval": "-1"},
        wait_for_active_shards=1,
    )
    copy = _Copy(client, old, building, transform, progress)
    copied_up_to = copy.checkpoints()
    copy.since({})
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


def _unblock(client: Client, index: str) -> None:
    client.indices.put_settings(index=index, settings={"index.blocks.write": None})


def _swap(client: Client, old: life.Physical, target: str, names: Sequence[str], building: str) -> None:
    """Point the names to the target, in one step of the cluster."""
    gone = [{"remove": {"index": old.name, "alias": alias}} for alias in old.aliases]
    come = [{"add": {"index": target, "alias": name}} for name in names]
    done = {"remove": {"index": target, "alias": building}}
    client.indices.update_aliases(actions=[*gone, *come, done])


class _Copy:
    """Copies documents shard by shard, by the sequence numbers that every write of a shard has."""

    def __init__(
        self,
        client: Client,
        old: life.Physical,
        building: str,
        transform: Transform | None,
        progress: Progress | None,
    ) -> None:
        self._client = client
        self._old = old
        self._building = building
        self._transform = transform
        self._progress = progress
        self._done = 0
        self._total = int(client.count(index=old.name)["count"])

    def checkpoints(self) -> dict[int, int]:
        """For each shard the sequence number up to which all writes are done, and will be seen."""
        stats = self._client.indices.stats(index=self._old.name, level="shards").body
        shards = stats["indices"][self._old.name]["shards"]
        return {
            int(number): min(
                copy["seq_no"]["local_checkpoint"] for copy in copies if copy["routing"]["primary"]
            )
            for number, copies in shards.items()
        }

    def since(self, checkpoints: Mapping[int, int]) -> None:
        """Copy what was written after these sequence numbers; everything where a shard has none."""
        self._client.indices.refresh(index=self._old.name)
        for shard in range(self._old.shards):
            newer = {"range": {"_seq_no": {"gt": checkpoints.get(shard, -1)}}}
            for hits in self._view(self._old.name, newer, shard, source(thumbnail=True, vector=True)):
                self._write([record_of(hit["_source"]) for hit in hits])

    def forget_deleted(self, target: str) -> None:
        """Remove from the target what the old index no longer holds; nothing is written there meanwhile."""
        self._client.indices.refresh(index=f"{self._old.name},{target}")
        if self._client.count(index=self._old.name) == self._client.count(index=target):
            return
        for hits in self._view(target, {"match_all": {}}, None, False):
            ids = [hit["_id"] for hit in hits]
            stored = self._client.mget(index=self._old.name, ids=ids, source=False)["docs"]
            gone = [document["_id"] for document in stored if not document["found"]]
            for each in gone:
                self._client.delete(index=target, id=each)
        self._client.indices.refresh(index=target)

    def _write(self, records: Sequence[ImageRecord]) -> None:
        changed = self._transform(records) if self._transform else records
        for done in bulk(self._client, self._building, [copying(record) for record in changed]):
            if done.status >= 300:
                raise StoreError(f"a record could not be copied, the old index stays: {done.reason}")
        self._done += len(records)
        if self._progress:
            self._progress(self._done, max(self._total, self._done))

    def _view(
        self, index: str, query: Mapping[str, Any], shard: int | None, fields: bool | dict[str, Any]
    ) -> Iterator[list[Mapping[str, Any]]]:
        """All documents that fit, of one moment, in runs."""
        where = None if shard is None else f"_shards:{shard}"
        view = self._client.open_point_in_time(index=index, keep_alive=KEEP_VIEW, preference=where)["id"]
        try:
            after: dict[str, Any] = {}
            while True:
                answer = self._client.search(
                    pit={"id": view, "keep_alive": KEEP_VIEW},
                    query=query,
                    size=COPIED_AT_ONCE,
                    sort=["_shard_doc"],
                    source=fields,
                    track_total_hits=False,
                    allow_partial_search_results=False,
                    **after,
                )
                hits = answer["hits"]["hits"]
                if not hits:
                    return
                yield hits
                view = answer["pit_id"]
                after = {"search_after": hits[-1]["sort"]}
        finally:
            self._client.close_point_in_time(id=view)
