"""Copies within an index, as clusters."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from imaging.describe import looks_of_bits
from imaging.orientation import ORIENTATIONS
from imaging.record import ImageRecord, Key
from search.index.base import Index
from search.query import Filter, Question, Variant
from search.ranking import nearest

#: Largest Hamming distance of two pictures of one cluster: the radius within which no pair is missed, and
#: below that of a search, since clusters chain: a looks like b, b like c.
RADIUS = 31

#: records whose neighbours are asked for in one request
_BATCH = 64

#: neighbours of one record that are looked at; more than that are reached through the others of the cluster
_NEIGHBOURS = 200


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """Records that show one picture, the largest first, each with its distance to the first."""

    records: tuple[ImageRecord, ...]
    hamming: tuple[int | None, ...]

    @property
    def places(self) -> int:
        """In how many places the picture lies."""
        return sum(max(1, len(record.sources)) for record in self.records)

    def as_json(self) -> dict[str, Any]:
        """The cluster as services read it."""
        return {
            "places": self.places,
            "images": [
                {
                    "id": record.id,
                    "collection": record.collection,
                    "source": record.source,
                    "sources": list(record.sources),
                    "width": record.width,
                    "height": record.height,
                    "size": record.size,
                    "hamming": hamming,
                }
                for record, hamming in zip(self.records, self.hamming, strict=True)
            ],
        }


def clusters(
    index: Index,
    filter: Filter | None = None,
    *,
    radius: int = RADIUS,
    progress: Callable[[int], None] = lambda done: None,
) -> list[Cluster]:
    """All clusters of two places or more, the largest first.

    Two records belong together when their bytes or pixels are the same or a hash of one, in any of the eight
    orientations, lies within `radius` bits of one of the other's. Memory grows with the records that have a
    duplicate, not with the index. `progress` is told how many records have been looked at.
    """
    filter = filter or Filter()
    parent: dict[Key, Key] = {}
    alone: list[Key] = []
    done = 0
    for batch in _batches(index.scan(filter), _BATCH):
        for record, others in zip(batch, _neighbours(index, batch, filter, radius), strict=True):
            for other in others:
                _join(parent, record.key, other)
            if len(record.sources) > 1:
                alone.append(record.key)
        done += len(batch)
        progress(done)
    members: dict[Key, list[Key]] = {}
    for key in dict.fromkeys([*parent, *alone]):
        members.setdefault(_root(parent, key), []).append(key)
    found = [cluster for keys in members.values() if (cluster := _cluster(index, keys))]
    return sorted(found, key=lambda cluster: (-cluster.places, cluster.records[0].key))


def _neighbours(index: Index, batch: list[ImageRecord], filter: Filter, radius: int) -> Iterator[list[Key]]:
    views = [_views(record) for record in batch]
    answers = index.ask([Question(view, radius, _NEIGHBOURS, filter) for view in views])
    digests = [digest for record in batch for digest in (record.sha256, record.pixels)]
    same = index.ask_bytes(digests, filter)
    for record, view, candidates in zip(batch, views, answers, strict=True):
        near = [other for other in candidates if (found := nearest(view, other)) and found.hamming <= radius]
        exact = [*same.get(record.sha256, ()), *same.get(record.pixels, ())]
        yield [other.key for other in [*near, *exact] if other.key != record.key]


def _views(record: ImageRecord) -> tuple[Variant, ...]:
    if not record.quality:
        return ()
    return tuple(
        Variant(look.bits, look.terms, look.orientation, look.trimmed)
        for look in [
            *looks_of_bits(record.bits, record.bits_trimmed, orientations=["upright"], all_neighbours=True),
            *looks_of_bits(record.bits, record.bits_trimmed, orientations=ORIENTATIONS[1:]),
        ]
    )


def _batches(records: Iterable[ImageRecord], size: int) -> Iterator[list[ImageRecord]]:
    source = iter(records)
    while batch := list(islice(source, size)):
        yield batch


def _root(parent: dict[Key, Key], key: Key) -> Key:
    while parent.get(key, key) != key:
        parent[key] = parent.get(parent[key], parent[key])
        key = parent[key]
    return key


def _join(parent: dict[Key, Key], first: Key, second: Key) -> None:
    parent.setdefault(first, first)
    parent.setdefault(second, second)
    parent[_root(parent, first)] = _root(parent, second)


def _cluster(index: Index, keys: list[Key]) -> Cluster | None:
    """The cluster of these keys as they are now; None where deletions left less than two places."""
    records = sorted(
        index.get(keys, full=False).values(),
        key=lambda record: (-record.width * record.height, -record.size, record.key),
    )
    if not records:
        return None
    first = _views(records[0])
    distances = tuple(found.hamming if (found := nearest(first, record)) else None for record in records)
    cluster = Cluster(tuple(records), distances)
    return cluster if cluster.places > 1 else None
