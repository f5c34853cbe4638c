"""What is particular to state on Elasticsearch; what both indices do is in tests/conformance."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import elasticsearch
import pytest

from facsimile.search.errors import IndexReadOnly, IndexUnavailable
from facsimile.search.index.base import Signatures
from facsimile.search.index.elastic import bulk
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.elastic.location import ElasticLocation
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.index.state.base import Entry, EntryFilter, Ref
from tests.support.elasticsearch_node import ElasticsearchNode

SIGNATURES = Signatures("test-1")
JOBS = EntryFilter(kind="job")


def job(id: str, **fields: Any) -> Entry:
    return Entry(kind="job", id=id, terms={"state": ("open",)}, **fields)


@pytest.fixture
def index(location: str) -> Iterator[ElasticIndex]:
    with ElasticIndex.create(location, SIGNATURES) as made:
        yield made


def physical(location: str) -> str:
    return f"{ElasticLocation.parse(location).name}@state-v1"


def test_the_index_of_the_state_comes_with_the_first_write_and_goes_with_the_index(
    location: str, raw: elasticsearch.Elasticsearch
) -> None:
    options = ElasticOptions(replicas=0, shards=2)
    with ElasticIndex.create(location, SIGNATURES, options) as index:
        index.state.find(JOBS)
        index.state.delete([Ref("job", "1")])
        assert not raw.indices.exists(index=physical(location))
        index.state.put([job("1", numbers={"due": 1})])
        facts = raw.indices.get(index=physical(location))[physical(location)]
        made = facts["settings"]["index"]
        assert (made["number_of_shards"], made["number_of_replicas"]) == ("1", "0")
        assert facts["mappings"]["properties"]["numbers"]["properties"] == {"due": {"type": "long"}}
    with ElasticIndex.open(location) as index:
        index.destroy()
    assert not raw.indices.exists(index=physical(location))


def test_a_blocked_state_takes_nothing_and_says_why(
    index: ElasticIndex, location: str, raw: elasticsearch.Elasticsearch
) -> None:
    (kept,) = index.state.put([job("1")])
    assert kept
    raw.indices.put_settings(index=physical(location), settings={"index.blocks.write": True})
    for change in (
        lambda: index.state.put([job("2")]),
        lambda: index.state.put([kept]),
        lambda: index.state.delete([kept.ref]),
    ):
        with pytest.raises(IndexReadOnly, match="block"):
            change()
    assert index.state.get([kept.ref]) == {kept.ref: kept}
    raw.indices.put_settings(index=physical(location), settings={"index.blocks.write": None})
    assert index.state.put([kept]) == [kept]


def test_a_request_that_is_sent_twice_is_no_conflict_with_itself(
    index: ElasticIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the client does where the connection breaks before the answer comes."""
    (old, changed) = index.state.put([job("old"), job("changed")])
    assert old and changed
    index.state.put([changed.replaced(numbers={"n": 1})])
    once: Callable[..., Any] = index._client.bulk

    def twice(**request: Any) -> Any:
        once(**request)
        return once(**request)

    monkeypatch.setattr(index._client, "bulk", twice)
    new, again, lost = index.state.put([job("new"), old.replaced(numbers={"n": 2}), changed])
    assert lost is None
    assert new and again
    stored = index.state.get([new.ref, again.ref])
    assert [stored[each.ref].version for each in (new, again)] == [new.version, again.version]


def test_many_entries_go_in_several_requests(index: ElasticIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BULK_BYTES", 20_000)
    entries = [job(str(n), body={"text": "x" * 9000}) for n in range(20)]
    assert index.state.put(entries) == entries
    assert index.state.get(entry.ref for entry in entries) == {entry.ref: entry for entry in entries}


def test_a_server_that_is_away_is_unavailable_and_keeps_what_it_said(
    elasticsearch_node: ElasticsearchNode,
) -> None:
    node = elasticsearch_node
    options = ElasticOptions(timeout=10)
    location = f"{node.url}/state-{uuid4().hex}"
    with ElasticIndex.create(location, SIGNATURES, options) as index:
        (kept,) = index.state.put([job("1")])
        assert kept
        node.kill()
        for use in (
            lambda: index.state.put([job("2")]),
            lambda: index.state.get([kept.ref]),
            lambda: index.state.find(JOBS),
            lambda: index.state.delete([kept.ref]),
        ):
            with pytest.raises(IndexUnavailable):
                use()
        node.start()
    with ElasticIndex.open(location, None, options) as index:
        assert index.state.get([kept.ref])[kept.ref].version == kept.version
