"""Items and messages that no index takes become dead letters with the reason; they are never tried again."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from facsimile.imaging.phash import HASH_VERSION
from facsimile.ingest.item import Item
from facsimile.search.index.base import Signatures
from facsimile.search.index.embedded.index import EmbeddedIndex
from facsimile.search.index.state.base import EntryFilter, State
from facsimile.workers.ledger.chunks import ChunkMessage
from facsimile.workers.ledger.dead_letters import DeadLetters
from facsimile.workers.ledger.jobs import Jobs
from facsimile.workers.ledger.kinds import CHUNK
from facsimile.workers.queue.broker import INTAKE, Broker
from facsimile.workers.queue.intake import gather
from facsimile.workers.queue.producer import Producer


@pytest.fixture
def state(tmp_path: Path) -> Iterator[State]:
    with EmbeddedIndex.create(tmp_path / "index", Signatures(HASH_VERSION)) as index:
        yield index.state


def nested(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"deeper": value}
    return value


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"metadata": {"n": 2**64}}, "64 bits"),
        ({"metadata": {"n": float("inf")}}, "inf"),
        ({"metadata": nested(300)}, "nested"),
        ({"metadata": {"k": "v" * 70_000}}, "65536"),
        ({"tags": ("\ud800",)}, "surrogate"),
        ({"id": "x" * 600}, "600 bytes"),
    ],
)
def test_an_item_that_no_index_takes_is_a_dead_letter_at_once(
    state: State, fields: dict[str, Any], reason: str
) -> None:
    published: list[ChunkMessage] = []
    producer = Producer(state, published.extend, lambda: 0, limit=10)
    Jobs(state).start("job")
    items = [Item("/a.jpg"), Item("/bad.jpg", **fields), Item("/b.jpg")]
    assert producer.produce("job", items) == 3
    (chunk,) = state.find(EntryFilter(kind=CHUNK)).entries
    assert [each["source"] for each in chunk.body["items"]] == ["/a.jpg", "/b.jpg"]
    (letter,) = DeadLetters(state).all()
    assert letter.error == "InvalidRequest" and reason in letter.reason
    assert letter.item == Item("/bad.jpg")
    assert len(published) == 1


MESSAGE = {"version": 1, "source": "https://example.org/a.jpg"}


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ('{"version":1,"source":"https://e.org/a.jpg","metadata":{"n":1e999}}', "JSON"),
        ('{"version":1,"source":"https://e.org/a.jpg","metadata":{"n":NaN}}', "JSON"),
        ('{"version":1,"source":"https://e.org/a.jpg","title":"\\ud800"}', "JSON"),
        (json.dumps(MESSAGE | {"metadata": {"a\0b": 1}}), "NUL"),
        (json.dumps(MESSAGE | {"metadata": nested(30)}), "nested"),
        (json.dumps(MESSAGE | {"tags": ["x" * 9000]}), "9000 bytes"),
        (json.dumps(MESSAGE | {"id": "a\0b"}), "NUL"),
        ("[" * 100_000, "JSON"),
        ("garbage", "JSON"),
        ("[]", "not an object"),
        ("null", "not an object"),
        ("", "JSON"),
    ],
)
def test_a_message_that_no_index_takes_is_a_dead_letter_at_once(
    redis_url: str, state: State, message: str, reason: str
) -> None:
    broker = Broker(redis_url)
    published: list[ChunkMessage] = []

    def take() -> int:
        return gather(state, broker, published.extend, max_inline_bytes=10**6, trusted=False)

    with redis.Redis.from_url(redis_url) as client:
        client.rpush(INTAKE, message, json.dumps(MESSAGE))
    assert take() == 2
    (letter,) = DeadLetters(state).all()
    assert letter.error == "MessageError" and reason in letter.reason
    (chunk,) = state.find(EntryFilter(kind=CHUNK)).entries
    assert [each["source"] for each in chunk.body["items"]] == [MESSAGE["source"]]
    assert take() == 0


def test_messages_with_large_images_are_taken_in_several_chunks(redis_url: str, state: State) -> None:
    """One entry of the ledger could not hold them all, and none would ever leave the queue."""
    broker = Broker(redis_url)
    published: list[ChunkMessage] = []
    data = base64.b64encode(bytes(7_000_000)).decode()
    with redis.Redis.from_url(redis_url) as client:
        for number in range(4):
            client.rpush(INTAKE, json.dumps({"version": 1, "data": data, "id": str(number)}))
    assert gather(state, broker, published.extend, max_inline_bytes=8_000_000, trusted=False) == 4
    chunks = list(state.all(EntryFilter(kind=CHUNK)))
    assert sorted(each["id"] for chunk in chunks for each in chunk.body["items"]) == ["0", "1", "2", "3"]
    assert sum(chunk.number("accepted") for chunk in chunks) == 4
    assert {each.id for each in published} == {chunk.id for chunk in chunks}
    assert list(DeadLetters(state).all()) == []
