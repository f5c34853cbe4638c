"""What is particular to the index on Elasticsearch; what both indices do is in tests/conformance."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from uuid import uuid4

import elasticsearch
import numpy as np
import pytest

from facsimile.imaging.record import Key
from facsimile.search.errors import (
    IndexAlreadyExists,
    IndexMismatch,
    IndexNotFound,
    IndexReadOnly,
    IndexUnavailable,
    InvalidRequest,
)
from facsimile.search.index.base import Signatures, Status
from facsimile.search.index.elastic import bulk, queries
from facsimile.search.index.elastic.index import ElasticIndex
from facsimile.search.index.elastic.options import ElasticOptions
from facsimile.search.query import Filter
from tests.support.records import flipped, look, question, random_bits, random_vector, record

SIGNATURES = Signatures("test-1", "test", 64)


@pytest.fixture
def index(location: str) -> Iterator[ElasticIndex]:
    with ElasticIndex.create(location, SIGNATURES) as made:
        yield made


def physical(index: ElasticIndex) -> str:
    return index.info().physical


def test_two_ids_that_are_too_long_for_elasticsearch_are_still_two(index: ElasticIndex, rng):
    ids = ["x" * 511 + end for end in "ab"] + ["é" * 256, "a/b\n?c", "sha256-" + "0" * 64]
    records = [record(id, rng) for id in ids]
    assert {each.status for each in index.put(records)} == {Status.ADDED}
    index.refresh()
    assert index.get([each.key for each in records]).keys() == {each.key for each in records}
    assert [each.id for each in index.scan()] == sorted(ids)
    assert index.delete([records[0].key]) == 1
    assert index.known([records[1].key])


def test_bits_and_vectors_come_back_as_they_were_before_any_refresh(location: str, rng):
    with ElasticIndex.create(location, SIGNATURES, ElasticOptions(refresh_interval="-1")) as index:
        put = record(
            "1", rng, bits_trimmed=random_bits(rng), vector=random_vector(rng), thumbnail=b"\xff\xd8"
        )
        index.put([put])
        got = index.get([put.key])[put.key]
        for name in ("bits", "bits_trimmed", "vector"):
            np.testing.assert_array_equal(getattr(got, name), getattr(put, name))
        assert (got.thumbnail, got.added_at) == (put.thumbnail, put.added_at)
        assert index.count() == 0


def test_every_orientation_and_both_hashes_are_asked_in_one_search(index: ElasticIndex, rng):
    records = [record(str(n), rng, bits_trimmed=random_bits(rng)) for n in range(40)]
    index.put(records)
    index.refresh()
    near = [flipped(each.bits, 20, rng) for each in records[:8]]
    near += [flipped(each.bits_trimmed, 20, rng) for each in records[8:16]]
    asked = question(*(look(bits) for bits in near), radius=30, vector=random_vector(rng), nearest=3)
    assert len(list(queries.searches(asked))) == 2, "32 clauses by hash, and one by vector"
    assert {each.id for each in index.ask([asked])[0]} == {str(n) for n in range(16)}


def test_a_question_for_very_many_loses_none_of_them(index: ElasticIndex, rng):
    near = random_bits(rng)
    records = [record(str(n), rng, bits=flipped(near, 5, rng, keep=64)) for n in range(300)]
    index.put(records)
    index.refresh()
    (found,) = index.ask([question(*[look(near)] * 8, limit=1000, radius=10)])
    assert len(found) == 300


def test_optimizing_merges_what_many_writes_left_and_loses_nothing(index: ElasticIndex, rng):
    records = [record(str(n), rng, vector=random_vector(rng), thumbnail=b"jpeg") for n in range(6)]
    for each in records:
        index.put([each])
        index.refresh()
    index.delete([records[0].key])
    index.refresh()
    seen: list[tuple[int, int]] = []
    before, after = index.optimize(lambda done, total: seen.append((done, total)))
    assert before > after == 1
    assert all(done <= total for done, total in seen)
    assert index.optimize() == (1, 1)
    assert index.get([each.key for each in records]).keys() == {each.key for each in records[1:]}
    (found,) = index.ask([question(look(records[3].bits), radius=0)])
    assert [each.id for each in found] == ["3"]


def test_more_of_the_same_bytes_than_one_answer_holds(index: ElasticIndex, rng):
    same = record("1", rng, vector=random_vector(rng))
    index.put([same.replaced(id=str(n)) for n in range(150)])
    index.refresh()
    (found,) = index.ask([question(limit=5, digests=(same.sha256,), vector=same.vector, nearest=1)])
    assert {each.id for each in found} == set(map(str, range(150)))
    assert all(each.vector is not None for each in found)
    assert not any(index.ask([question(digests=("0" * 64,)), question(digests=())]))


def test_words_are_words_and_never_syntax(index: ElasticIndex, rng):
    index.put(
        [record("1", rng, title='the "red" car', tags=("sports/race",)), record("2", rng, title="a boat")]
    )
    index.refresh()
    for text in ('"red', "red OR (", "red: AND NOT", "race*", "/red/", "RED", "+red -red"):
        assert [each.id for each in index.ask_words(text, 5, Filter())] == ["1"], text
    assert index.ask_words("*:*", 5, Filter()) == []
    assert len(index.ask_words("car boat " + "x " * 20_000, 5, Filter())) == 2


def test_more_collections_than_one_answer_holds(index: ElasticIndex, rng):
    one = record("1", rng)
    index.put([one.replaced(collection=f"c{n}") for n in range(1100)])
    index.refresh()
    assert index.collections() == {f"c{n}": 1 for n in range(1100)}
    assert len(index.keys_of("1")) == 1100


def test_one_record_that_the_server_refuses_does_not_hold_up_the_others(index: ElasticIndex, rng):
    refused = record("2", rng, width=2**40)
    first, second, third = index.put([record("1", rng), refused, record("3", rng)])
    assert (first.status, third.status) == (Status.ADDED, Status.ADDED)
    assert (second.status, second.transient) == (Status.FAILED, False)
    assert "width" in second.reason


def test_a_large_put_goes_in_several_requests(index: ElasticIndex, rng, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bulk, "BULK_BYTES", 20_000)
    records = [record(str(n), rng, thumbnail=bytes(rng.bytes(9000))) for n in range(20)]
    assert {each.status for each in index.put(records)} == {Status.ADDED}
    assert index.get([records[19].key])[records[19].key].thumbnail == records[19].thumbnail


@pytest.mark.parametrize("block", ["write", "read_only_allow_delete", "read_only"])
def test_a_blocked_index_takes_nothing_loses_nothing_and_says_why(
    index: ElasticIndex, raw: elasticsearch.Elasticsearch, rng, block: str
):
    kept, new = record("1", rng), record("2", rng)
    index.put([kept])
    name = physical(index)
    raw.indices.put_settings(index=name, settings={f"index.blocks.{block}": True})
    try:
        for change in (lambda: index.put([new]), lambda: index.delete([kept.key])):
            with pytest.raises(IndexReadOnly, match="block") as error:
                change()
            assert error.value.transient
        assert index.get([kept.key]).keys() == {kept.key}
    finally:
        raw.indices.put_settings(index=name, settings={f"index.blocks.{block}": None})
    assert index.put([new])[0].status == Status.ADDED


def test_writing_to_an_index_that_was_removed_does_not_make_one(
    index: ElasticIndex, raw: elasticsearch.Elasticsearch, location: str, rng
):
    ElasticIndex.open(location).destroy()
    for use in (
        lambda: index.put([record("1", rng)]),
        lambda: index.delete([Key("default", "1")]),
        index.count,
        lambda: index.ask([question(look(random_bits(rng)))]),
        lambda: index.get([Key("default", "1")]),
        index.refresh,
    ):
        with pytest.raises(IndexNotFound):
            use()
    assert not raw.indices.get(index=f"{location.rpartition('/')[2]}*").body


def test_an_index_of_someone_else_is_left_alone(raw: elasticsearch.Elasticsearch, location: str):
    name = location.rpartition("/")[2]
    raw.indices.create(index=name, mappings={"dynamic": "strict"})
    with pytest.raises(IndexMismatch, match="no index of Facsimile"):
        ElasticIndex.open(location)
    with pytest.raises(IndexAlreadyExists):
        ElasticIndex.create(location, SIGNATURES)


def test_two_writers_that_change_one_record_both_count(index: ElasticIndex, location: str, rng):
    one = record("1", rng)
    with ElasticIndex.open(location) as other:
        sources = [f"place {n}" for n in range(24)]
        with ThreadPoolExecutor(4) as pool:
            writers = [index, other] * 12
            jobs = [
                pool.submit(writer.put, [one.replaced(sources=(source,))])
                for writer, source in zip(writers, sources, strict=True)
            ]
            outcomes = [job.result()[0] for job in jobs]
    assert [each for each in outcomes if each.status == Status.FAILED and not each.transient] == []
    written = {source for source, each in zip(sources, outcomes, strict=True) if each.status != Status.FAILED}
    assert set(index.known([one.key])[one.key].sources) == written


def test_a_vector_of_another_length_is_no_question(index: ElasticIndex, rng):
    vector = np.full(32, 32**-0.5, np.float32)
    with pytest.raises(InvalidRequest, match="32 dimensions"):
        index.ask([question(vector=vector, nearest=3)])


@pytest.mark.parametrize("deaf", [False, True], ids=["refusing", "silent"])
def test_a_host_that_is_down_is_passed_over_for_another(location: str, rng, deaf: bool):
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server, ExitStack() as waiting:
        dead = f"127.0.0.1:{server.getsockname()[1]}"
        if deaf:
            for _ in range(4):  # the system answers no more of these than the backlog holds
                caller = waiting.enter_context(socket.socket())
                caller.setblocking(False)
                caller.connect_ex(server.getsockname())
        else:
            server.close()
        both = location.replace("http://", f"http://{dead},")
        with ElasticIndex.create(both, SIGNATURES, ElasticOptions(timeout=5)) as index:
            outcomes = [index.put([record(str(n), rng)])[0] for n in range(6)]
            assert {each.status for each in outcomes} == {Status.ADDED}
            index.refresh()
            assert index.count() == 6


@pytest.mark.timeout(600)
def test_a_server_that_dies_in_the_midst_of_writing_loses_nothing_acknowledged(elasticsearch_node, rng):
    node = elasticsearch_node
    index = ElasticIndex.create(f"{node.url}/crash-{uuid4().hex}", SIGNATURES, ElasticOptions(timeout=60))
    acknowledged: list[Key] = []

    def write(first: int) -> None:
        for start in range(first, first + 100_000, 50):
            records = [record(str(n), np.random.default_rng(n)) for n in range(start, start + 50)]
            try:
                outcomes = index.put(records)
            except IndexUnavailable:
                return
            acknowledged.extend(
                each.key
                for each, outcome in zip(records, outcomes, strict=True)
                if outcome.status != Status.FAILED
            )
            if len(acknowledged) > 1000 and node.process:
                node.kill()

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, (0, 1_000_000)))
    assert len(acknowledged) > 1000
    node.start()
    assert index.known(acknowledged).keys() == set(acknowledged)
    index.refresh()
    assert index.count() >= len(acknowledged)
    index.close()


@pytest.mark.timeout(600)
def test_a_server_that_is_too_busy_for_some_gets_those_again(configured_node, rng):
    node = configured_node(
        {
            "discovery.type": "single-node",
            "thread_pool.write.size": "1",
            "thread_pool.write.queue_size": "1",
        }
    )
    with ElasticIndex.create(f"{node.url}/busy", SIGNATURES) as index:
        batches = [[record(f"{n}-{k}", rng) for k in range(100)] for n in range(8)]
        with ThreadPoolExecutor(8) as pool:
            outcomes = [each for some in pool.map(index.put, batches) for each in some]
        with elasticsearch.Elasticsearch(node.url) as raw:
            (stats,) = raw.nodes.stats(metric="thread_pool")["nodes"].values()
            assert stats["thread_pool"]["write"]["rejected"] > 0, "the server never was too busy"
        index.refresh()
        assert {each.reason for each in outcomes} == {""}
        assert index.count() == 8 * 100
